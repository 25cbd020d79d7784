"""The command line: arguments, config files, signals, logs, closing summary, exit status.

Entry points: `command_line.parse_command_line`, then `command.run_command`. No other package
may import this one, except `main`; it must not import `attempt` or `network`.
"""
