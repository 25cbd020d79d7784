"""The live display on a terminal. It needs the optional package rich.

Entry point: `live_display.live_display`. It reads the run through `engine.monitor.RunView` and
must not import `cli` or `reports`.
"""
