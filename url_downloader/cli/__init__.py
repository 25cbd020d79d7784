"""The command: arguments, config files, lock, logs, signals, closing summary, exit status.

Entry points: `command_line.parse_command_line`, then `command.run_command`. Only the module
`main` may import this package, which must not import `attempt` or `network`.
"""
