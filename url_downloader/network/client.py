"""The HTTP client of a worker: it sends a GET, follows redirects, and returns the final reply.

For each request, `HttpClient.open` goes through these steps:

1. RequestPlans has the route and the header fields. The client adds cookies.
2. The ConnectionPool has an idle connection of that route, or the Connector opens a new one.
   The request is sent over it, and the head of the reply is read. If an idle connection turns
   out to be closed, the request is sent once more over a new one.
3. The client stores new cookies. It follows a redirect with the next request. Any other reply
   is returned as an HttpReply, whose body the caller reads.
4. When the reply is closed, its connection goes back to the pool, or is closed.

Another thread can abort each step through the AttemptControl.
"""

from __future__ import annotations

from http import HTTPStatus

from url_downloader.network.client_context import ClientContext
from url_downloader.network.connection import Connection, StaleConnectionError
from url_downloader.network.errors import TRANSFER_ERRORS, transfer_error
from url_downloader.network.reply import HttpReply
from url_downloader.network.reply_head import ReplyHead
from url_downloader.network.request_head import header_block, request_line
from url_downloader.network.request_plans import RequestPlan, first_hop, next_hop
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.errors import AttemptError
from url_downloader.shared.job_options import AttemptLimits
from url_downloader.shared.models import ErrorKind
from url_downloader.shared.ports import Fields, Phase
from url_downloader.shared.text import printable
from url_downloader.shared.url_parts import Origin, split_target, url_of
from url_downloader.shared.urls import resolve, without_secrets

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpClient:
    """Client that gets URLs, over connections that it shares with other clients.

    It implements `shared.ports.Transport`.

    Args:
        context: Context that all clients of the run share.
        control: Control of the worker's attempts.

    Attributes:
        control: The same control; with it any thread can abort a call.

    Threads: created and used in one thread.
    """

    def __init__(self, context: ClientContext, *, control: AttemptControl) -> None:
        self._context = context
        self.control = control

    def open(
        self, url: str, headers: Fields, *, conditions: Fields, limits: AttemptLimits
    ) -> HttpReply:
        """Send a GET, follow its redirects, and return the final reply with its body unread.

        Args:
            url: URL in normal form (`shared.urls`); its login is sent as Basic authentication.
            headers: Header fields of the job. By default other origins do not get them.
            conditions: Header fields for ranges and preconditions. All origins get them.
            limits: Limits, of which the client applies those for connecting and for silence.

        Raises:
            AttemptError: No valid reply arrived, or a redirect can't be followed.
        """
        start, target = split_target(url)
        hop = first = first_hop(start)
        for _ in range(self._context.max_redirects + 1):
            plan = self._context.plans.plan(hop, headers, conditions=conditions)
            try:
                self.control.ask(None if hop.is_first_origin else plan.start)
                reply = self._get(hop.origin, target, plan=plan, limits=limits)
            except AttemptError as error:
                raise error if hop is first else _redirected(error, hop.origin) from error
            if not _is_redirect(reply):
                return reply
            reply.drain()
            start, target = split_target(_redirect_target(reply))
            trusts = self._context.is_location_trusted
            hop = next_hop(hop, start, first=first, trusts_all=trusts)
        raise _too_many(self._context.max_redirects)

    def _get(
        self, origin: Origin, target: str, *, plan: RequestPlan, limits: AttemptLimits
    ) -> HttpReply:
        if (failure := self.control.failure()) is not None:
            raise failure
        cookie, cookies = b"", self._context.cookies
        if not plan.has_cookie and (field := cookies.field(origin, target=target)):
            cookie = header_block(field)
        line = request_line("GET", plan.prefix + target)
        request = b"%b%b%b\r\n" % (line, plan.fields, cookie)
        connection, head = self._exchange(request, plan=plan, limits=limits)
        self.control.note_reply(head.status)
        if "set-cookie" in head.fields:
            cookies.store(head.values("set-cookie"), origin=origin, target=target)
        try:
            return HttpReply(
                head,
                connection,
                url=plan.start + target,
                on_closed=self._release,
                control=self.control,
            )
        except AttemptError:
            self._release(connection, False)
            raise

    def _exchange(
        self, request: bytes, *, plan: RequestPlan, limits: AttemptLimits
    ) -> tuple[Connection, ReplyHead]:
        """Send a request; return the connection and the head of the reply."""
        idle = self._context.pool.take(plan.route)
        try:
            if idle is not None:
                head = self._ask_idle(idle, request, limits=limits)
                if head is not None:
                    return idle, head
            connection = self._context.connector.connect(
                plan.route, control=self.control, seconds=limits.connect_seconds
            )
            return connection, self._ask(connection, request, limits=limits)
        except BaseException as error:
            self._context.pool.leave()
            if isinstance(error, AttemptError) and error.kind is ErrorKind.NO_DESCRIPTORS:
                # Idle connections have descriptors, too: until they are closed, each attempt
                # might fail.
                self._context.pool.close_idle()
            raise

    def _ask_idle(
        self, connection: Connection, request: bytes, *, limits: AttemptLimits
    ) -> ReplyHead | None:
        """Send a request over an idle connection; return None if it has to be sent again.

        RFC 9112 §9.3.1: the server may close an idle connection at any time. A 408 on it says
        no more than that (RFC 9110 §15.5.9).
        """
        try:
            head = self._ask(connection, request, limits=limits)
        except StaleConnectionError:
            return None
        if head.status == HTTPStatus.REQUEST_TIMEOUT:
            self._close(connection)
            return None
        return head

    def _ask(
        self, connection: Connection, request: bytes, *, limits: AttemptLimits
    ) -> ReplyHead:
        """Send a request and read the head of its reply; close the connection in a failure."""
        control = self.control
        control.hold(connection.base)
        control.enter(Phase.WAITING)
        try:
            connection.set_timeout(limits.timeout or None)
            connection.send(request)
            return connection.read_head(control)
        except (AttemptError, *TRANSFER_ERRORS) as error:
            if connection.buffered:
                control.note_bytes()
            self._close(connection)
            raise control.failure() or transfer_error(error) from error
        except BaseException:
            self._close(connection)
            raise

    def close(self) -> None:
        """Release the socket of the last request; its connection belongs to the run."""
        self.control.release()

    def _release(self, connection: Connection, is_kept: bool) -> None:
        """Give a connection back to the pool, or close it."""
        if is_kept:
            self.control.release()
            self._context.pool.put(connection)
        else:
            self._close(connection)
            self._context.pool.leave()

    def _close(self, connection: Connection) -> None:
        # Released first: an abort must not shut down a socket that is closed.
        self.control.release()
        connection.close()


def _too_many(redirects: int) -> AttemptError:
    message = f"more than {redirects} redirects (--max-redirects)"
    return AttemptError(ErrorKind.REDIRECT, message)


def _redirected(error: AttemptError, origin: Origin) -> AttemptError:
    """Return the error with the origin, which is not in the URL of the list."""
    message = f"{error.message} (redirected to {url_of(origin)})"
    return AttemptError(error.kind, message, trouble=error.trouble)


def _is_redirect(reply: HttpReply) -> bool:
    """Tell whether a reply is a redirect; a 300 is one if it has a Location."""
    is_choice = reply.status == HTTPStatus.MULTIPLE_CHOICES
    return reply.status in _REDIRECTS or (is_choice and "location" in reply.headers)


def _redirect_target(reply: HttpReply) -> str:
    """Return the URL that a redirect leads to; raise an AttemptError without a usable one."""
    locations = dict.fromkeys(reply.head.values("location"))
    if len(locations) > 1:
        message = f"HTTP {reply.status} with {len(locations)} different Locations"
        raise AttemptError(ErrorKind.REDIRECT, message)
    location = next(iter(locations), "")
    if not location:
        raise AttemptError(ErrorKind.REDIRECT, f"HTTP {reply.status} without a Location")
    # In practice, non-ASCII bytes of a Location are UTF-8.
    text = location.encode("latin-1").decode("utf-8", "surrogateescape")
    target = resolve(reply.url, text)
    if target is None:
        # Without the query, which may have a signature: the ledger keeps the message.
        shown = printable(without_secrets(text.partition("?")[0])[:200])
        raise AttemptError(ErrorKind.REDIRECT, f"redirect to an unusable URL: {shown}")
    return target
