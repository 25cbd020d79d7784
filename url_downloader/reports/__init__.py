"""Files and lines for scripts: JSON report, printed paths, failed list, metrics file.

Entry point: `script_outputs.open_outputs`. This package must not import `cli` or `display`.
"""
