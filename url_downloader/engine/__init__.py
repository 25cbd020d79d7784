"""Threads of a run: pool, producer, workers, retry scheduler, watchdog and monitors.

Entry point: `pool.JobPool`. The package treats an attempt as a call that returns a result. It
must not import `attempt`, `network` or `storage`.
"""
