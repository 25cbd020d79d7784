"""The threads of a run: pool, workers, retry scheduler, watchdog, monitor.

Entry point: `pool.JobPool`. What an attempt does is unknown here: this package must not import
`attempt`, `network` or `storage`.
"""
