"""The live display on a terminal, and the log lines above it.

Entry points: `console.Console`; `live_display.live_display`, which needs the optional package
rich. This package reads the run through `engine.monitor.RunView`. It must not import `cli` or
`reports`.
"""
