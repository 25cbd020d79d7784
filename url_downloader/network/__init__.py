"""Requests and replies: connections, proxies, TLS, cookies, logins, host names.

Entry point: `client.HttpClient`. The only package that imports requests and urllib3. It knows
no jobs and no files, and must not import `attempt`, `engine` or `storage`.
"""
