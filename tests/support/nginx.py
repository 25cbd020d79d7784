"""A real nginx that serves a folder over HTTP and HTTPS on loopback ports."""

from __future__ import annotations

import http.client
import secrets
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.processes import start_bound, stop
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
_START_ATTEMPTS = 5

# One process, so that killing it leaves no orphan; and no other user, so that it runs the same
# for root and for other users. It writes nothing outside of the prefix.
_CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr info;
events {{ worker_connections 2048; }}
http {{
    types {{ text/html html; text/plain txt; application/gzip gz; }}
    default_type application/octet-stream;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
    uwsgi_temp_path tmp; scgi_temp_path tmp;
    log_format counted '$connection $status $body_bytes_sent $scheme $request_uri';
    access_log access.log counted;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 300;
    keepalive_requests 1000000;
    server {{
        listen {host}:{http_port};
        listen {host}:{https_port} ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        root "{root}";
        location = /-/ready {{ access_log off; return 200 "{token}"; }}
        location = /-/status {{ access_log off; stub_status; }}
        {locations}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the access log.

    Args:
        connection: Number of the connection in nginx, which is never used twice.
        status: Status of the reply.
        body_bytes: Bytes of the reply without its headers.
        scheme: http or https.
        target: Path with query.
    """

    connection: int
    status: int
    body_bytes: int
    scheme: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """A running nginx.

    Args:
        root: Folder that is served; files may be added and removed.
        prefix: Folder of nginx's own files.
        http_port, https_port: Ports that it listens on.
    """

    root: Path
    prefix: Path
    http_port: int
    https_port: int

    def url(self, path: str, *, tls: bool = False) -> str:
        """Return the absolute URL of `path`."""
        if tls:
            return f"https://{HOST}:{self.https_port}{path}"
        return f"http://{HOST}:{self.http_port}{path}"

    def access_log(self) -> list[LogEntry]:
        """Return all requests so far; that of the latest reply may still be missing."""
        log = self.prefix / "access.log"
        return [_entry(line) for line in log.read_text().splitlines()]

    def wait_for_requests(self, count: int) -> list[LogEntry]:
        """Wait until the access log has `count` entries; return it.

        Raises:
            TimeoutError: The entries do not come in time.
        """
        wait_until(lambda: len(self.access_log()) >= count, what=f"{count} logged requests")
        return self.access_log()

    def log_when_quiet(self) -> list[LogEntry]:
        """Wait until all connections have ended; return the access log, now complete."""
        # The connection that asks is the last one.
        wait_until(lambda: self._connections() == 1, what="nginx to end its connections")
        return self.access_log()

    def _connections(self) -> int:
        with urllib.request.urlopen(self.url("/-/status")) as reply:
            return int(reply.readline().split()[-1])


@contextmanager
def running_nginx(
    root: Path, prefix: Path, ca: trustme.CA, *, locations: str = ""
) -> Iterator[Nginx]:
    """Yield an nginx, which runs during the block.

    Args:
        root: Folder to serve.
        prefix: Empty folder for its configuration, logs and temporary files.
        ca: Authority that issues the certificate for the loopback address.
        locations: More configuration for the server block.

    Raises:
        RuntimeError: nginx is not installed, or does not start.
    """
    program = _program()
    (prefix / "tmp").mkdir()
    certificate = ca.issue_cert(HOST, "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(prefix / "server.pem")
    for _ in range(_START_ATTEMPTS):
        http_port, https_port = _free_ports()
        nginx = Nginx(root=root, prefix=prefix, http_port=http_port, https_port=https_port)
        token = secrets.token_hex(8)
        config = _CONFIG.format(
            host=HOST,
            http_port=http_port,
            https_port=https_port,
            root=root,
            token=token,
            locations=locations,
        )
        (prefix / "nginx.conf").write_text(config)
        command = [program, "-p", f"{prefix}/", "-c", f"{prefix}/nginx.conf"]
        process = start_bound(command, log=prefix / "error.log")
        try:
            if _is_ready(nginx, process, ca, token):
                yield nginx
                return
        finally:
            stop(process)
    raise RuntimeError(f"nginx doesn't start:\n{(prefix / 'error.log').read_text()}")


def _program() -> str:
    # Debian installs it in a folder that is in root's PATH only.
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("the tests need nginx: apt-get install nginx-light")
    return program


def _free_ports() -> tuple[int, int]:
    """Return two ports that are free now; another process may take them, hence the attempts."""
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _is_ready(
    nginx: Nginx, process: subprocess.Popen[bytes], ca: trustme.CA, token: str
) -> bool:
    """Wait until nginx answers on both ports; return False if it ended instead."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    connections = (
        http.client.HTTPConnection(HOST, nginx.http_port, timeout=10),
        http.client.HTTPSConnection(HOST, nginx.https_port, timeout=10, context=context),
    )
    wait_until(
        lambda: (
            process.poll() is not None or all(_answers(each, token) for each in connections)
        ),
        what="nginx to answer",
    )
    return process.poll() is None


def _answers(connection: http.client.HTTPConnection, token: str) -> bool:
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().read() == token.encode()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _entry(line: str) -> LogEntry:
    connection, status, body_bytes, scheme, target = line.split(" ", 4)
    return LogEntry(int(connection), int(status), int(body_bytes), scheme, target)
