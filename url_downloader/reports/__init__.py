"""The files and lines that a run writes for scripts: report, paths, failed list, metrics file.

Entry points: `script_outputs.open_outputs`, `metrics_file.MetricsFile`. This package must not
import `cli` or `display`.
"""
