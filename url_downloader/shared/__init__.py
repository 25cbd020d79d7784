"""Values and services that all packages use: models, errors, Protocols, text and URLs.

Entry points: `models.DownloadJob`, `job_registry.JobRegistry` and the Protocols in `ports`.
This package must not import any other package of the project.
"""
