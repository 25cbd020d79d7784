"""HTTP requests and replies: connections, proxies, TLS, cookies, logins and look-ups of hosts.

Entry point: `client.HttpClient`, of which each worker has one. A reply has two layers: a
`StrictResponse` reads it from the connection, and an `HttpReply` presents it to the caller.

This is the only package that imports requests and urllib3. It is independent of jobs and files.
It may import only `config` and `shared`.
"""
