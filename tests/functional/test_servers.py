"""Headers, logins and cookies that servers get."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.support.http_clients import SECRET, fetch, get, running_client
from tests.support.scripted_server import Reply, ScriptedServer
from url_downloader import __version__
from url_downloader.config.server_settings import ServerSettings
from url_downloader.config.settings import Settings
from url_downloader.network.client_context import client_context
from url_downloader.shared.errors import InputError
from url_downloader.shared.ports import Fields

pytestmark = pytest.mark.usefixtures("bare_environment")
BODY = b"0123456789"


def basic(name: str, password: str) -> str:
    """Return the field of Basic authorization."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def netrc(tmp_path: Path, *hosts: str) -> Path:
    """Write a file with logins for hosts; return its path."""
    path = tmp_path / "logins"
    path.write_text("".join(f"machine {host} login net password rc\n" for host in hosts))
    return path


@pytest.mark.parametrize(
    ("headers", "of_entry", "user", "expected"),
    [
        ((), (), "", basic("net", "rc")),
        ((), (), "me:pw@", basic("me", "pw")),
        ((), (), "net@", basic("net", "rc")),
        ((), (), "net:@", basic("net", "")),
        ((), (), "me@", basic("me", "")),
        ((("authorization", "mine"),), (), "net@", "mine"),
        ((("authorization", "mine"),), (), "me:pw@", "mine"),
        ((("Authorization", "mine"),), (("AUTHORIZATION", "entry's"),), "me:pw@", "entry's"),
    ],
)
def test_who_is_heard_first(
    server: ScriptedServer,
    tmp_path: Path,
    headers: Fields,
    of_entry: Fields,
    user: str,
    expected: str,
) -> None:
    """An entry's header beats -H, -H beats the URL's credentials, and these beat the netrc."""
    server.play("/a", Reply(body=BODY))
    settings = ServerSettings(headers=headers, netrc=netrc(tmp_path, "127.0.0.1"))
    with running_client(settings) as running:
        get(running, server.url("/a").replace("//", f"//{user}"), of_entry)
    assert server.requests()[0].header("Authorization") == expected


def test_no_netrc_means_none(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A netrc that is found is used, unless the settings forbid it."""
    monkeypatch.setenv("NETRC", str(netrc(tmp_path, "127.0.0.1")))
    for settings in (ServerSettings(), ServerSettings(uses_netrc=False)):
        fetch(settings, server.url("/a"))
    sent = [request.header("Authorization") for request in server.requests()]
    assert sent == [basic("net", "rc"), None]


def test_a_login_is_bytes(server: ScriptedServer, tmp_path: Path) -> None:
    """A byte that is not UTF-8 spoils neither its own entry nor the others."""
    path = tmp_path / "logins"
    entries = (
        b"machine localhost login u password gr\xfc\xdfe\nmachine 127.0.0.1 login v password w"
    )
    path.write_bytes(entries)
    settings = ServerSettings(netrc=path)
    with running_client(settings) as running:
        get(running, server.url("/a"))
        get(running, server.url("/a").replace("127.0.0.1", "localhost"))
    first, second = (str(each.header("Authorization")) for each in server.requests())
    assert first == basic("v", "w")
    assert base64.b64decode(second.removeprefix("Basic ")) == b"u:gr\xfc\xdfe"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"machine h login\nx {SECRET}", "logins:2: the logins can't be read"),
        (None, "Is a directory"),
    ],
)
def test_a_netrc_that_is_found_and_no_use(
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    content: str | None,
    words: str,
) -> None:
    """A broken netrc that was found gives one warning, and the run goes on without it."""
    path = tmp_path / "logins"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    monkeypatch.setenv("NETRC", str(path))
    server.play("/a", Reply(body=BODY))
    with running_client(ServerSettings()) as running:
        assert [get(running, server.url("/a"))[1] for _ in range(3)] == [BODY] * 3
    (said,) = caplog.messages
    assert words in said
    assert SECRET not in said


def test_where_a_netrc_is_found(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$NETRC is read, or ~/.netrc, or ~/_netrc, whatever its owner and mode, as by curl."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC")
    for name in ("_netrc", ".netrc"):
        netrc(tmp_path, "127.0.0.1").rename(tmp_path / name)
        (tmp_path / name).write_text(f"default login {name} password p")
        (tmp_path / name).chmod(0o666)
        fetch(ServerSettings(), server.url("/a"))
    monkeypatch.setenv("NETRC", "~/_netrc")
    fetch(ServerSettings(), server.url("/a"))
    sent = [request.header("Authorization") for request in server.requests()]
    assert sent == [basic(name, "p") for name in ("_netrc", ".netrc", "_netrc")]


def test_headers_of_a_run(server: ScriptedServer) -> None:
    """Headers of one name are joined; a header of -H beats -U and --referer."""
    headers = (("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1"), ("Cookie", "b=ä"))
    own = (("user-agent", "mine"), ("Referer", "http://own.test/"))
    settings = ServerSettings(headers=headers, user_agent="theirs", referer="http://r.test/")
    fetch(ServerSettings(), server.url("/a"))
    fetch(settings, server.url("/a"))
    fetch(ServerSettings(headers=own, user_agent="x", referer="y"), server.url("/a"))
    first, second, third = server.requests()
    assert first.header("User-Agent") == f"url-downloader/{__version__}"
    assert (second.header("X-A"), second.header("Referer")) == ("1, 2", "http://r.test/")
    assert str(second.header("Cookie")).encode("latin-1").decode() == "a=1; b=ä"
    assert second.header("User-Agent") == "theirs"
    assert (third.header("User-Agent"), third.header("Referer")) == (own[0][1], own[1][1])


@pytest.mark.parametrize("is_trusted", [False, True])
def test_secrets_stay_at_home(
    server: ScriptedServer, tmp_path: Path, *, is_trusted: bool
) -> None:
    """Headers, logins and cookies stay at their origin; -U and --referer go everywhere."""
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tc\t1\n"
        "localhost\tFALSE\t/\tFALSE\t0\td\t2\n"
    )
    settings = ServerSettings(
        headers=(("X-Key", SECRET),),
        user_agent="agent",
        referer="http://r.test/",
        cookies=cookies,
        netrc=netrc(tmp_path, "127.0.0.1"),
    )
    away = server.url("/b").replace("127.0.0.1", "localhost")
    server.play("/a", Reply(status=302, headers={"Location": away}))
    with running_client(settings, is_trusted=is_trusted) as running:
        get(running, server.url("/a"))
        get(running, server.url("/a").replace("//", f"//me:{SECRET}@"))
    home, there, _, there_again = server.requests()
    assert (home.header("X-Key"), home.header("Authorization")) == (SECRET, basic("net", "rc"))
    assert there.header("X-Key") == (SECRET if is_trusted else None)
    assert there.header("Authorization") is None
    credentials = basic("me", SECRET) if is_trusted else None
    assert there_again.header("Authorization") == credentials
    assert (home.header("Cookie"), there.header("Cookie")) == ("c=1", "d=2")
    assert (there.header("User-Agent"), there.header("Referer")) == ("agent", "http://r.test/")


def test_a_referer_does_not_leave_tls(
    server: ScriptedServer, tls_server: ScriptedServer, ca_bundle: Path
) -> None:
    """A Referer with https is not sent without TLS (RFC 9110 §10.1.3)."""
    tls_server.play("/a", Reply(status=302, headers={"Location": server.url("/b")}))
    fetch(ServerSettings(referer="https://r.test/", ca_cert=ca_bundle), tls_server.url("/a"))
    assert tls_server.requests()[0].header("Referer") == "https://r.test/"
    assert server.requests()[0].header("Referer") is None


NETRC = f"machine h login me password {SECRET}\n"


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("netrc", None, "No such file"),
        ("netrc", f"{NETRC}bogus {SECRET}\n", "file:2: the logins can't be read"),
        ("netrc", f"machine h passwort {SECRET}\n", "not in netrc format"),
        ("cookies", "nothing", "Netscape"),
        *[("ca_cert", None, "No such file"), ("ca_cert", "nothing", "the CA bundle")],
        *[("cert", None, "No such file"), ("cert", "nothing", "in PEM format")],
    ],
)
def test_a_file_that_is_no_use(
    tmp_path: Path, option: str, content: str | None, words: str
) -> None:
    """The error comes at the start, with the file and the reason, and without its content."""
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)
    settings: dict[str, Path] = {option: path}
    with pytest.raises(InputError) as caught:
        client_context(Settings(server=ServerSettings(**settings)))  # type: ignore[arg-type]
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
