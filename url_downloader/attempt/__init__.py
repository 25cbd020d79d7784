"""Attempt of one job: request the file, judge the reply, store the body.

Entry point: `downloader.Downloader`. It reaches network and disk through the Protocols of
`shared.ports`. The package must not import `network`, `storage` or `engine`.
"""
