"""One attempt of one job: ask the server, judge the reply, store the body.

Entry point: `downloader.Downloader`. Network and disk come in as Protocols of `shared.ports`;
this package must not import `network`, `storage` or `engine`.
"""
