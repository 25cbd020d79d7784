"""Vocabulary of all packages: models, errors, Protocols, the job registry, text and URLs.

Entry points: `models.DownloadJob`, `job_registry.JobRegistry` and the Protocols in `ports`.
This package must not import any other one.
"""
