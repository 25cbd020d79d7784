"""HTTP requests and replies: connections, proxies, TLS, cookies, logins and look-ups of hosts.

Entry point: `client.HttpClient`, of which each worker has one. All clients share the
`client_context.ClientContext`, which has the pool of connections. The caller gets an
`HttpReply`, which reads its body from a `Connection`.

This is the only package that imports requests and urllib3. It is independent of jobs and of
the output directory. It may import only `config` and `shared`.
"""
