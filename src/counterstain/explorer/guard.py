"""Who may ask, and what every answer carries: the safety of a page that listens on a port."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "LARGEST_BODY", "Guard", "host_name", "is_loopback"]

COOKIE: Final = "counterstain_token"
LARGEST_BODY: Final = 16 * 1024
"""Bytes of a request's body."""

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_READS: Final = frozenset({"GET", "HEAD"})
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def host_name(value: str) -> str:
    """Return the name of a ``Host`` header without its port.

    Examples
    --------
    >>> host_name("[::1]:8765"), host_name("Localhost:80"), host_name("bad host")
    ('::1', 'localhost', '')
    """
    try:
        return urlsplit(f"//{value}").hostname or "" if " " not in value else ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware: refuses what should not be asked, and adds headers to every answer.

    - ``Host`` must be this machine's or the one listened on: a foreign name that was pointed at
      this machine (DNS rebinding) is refused. Where all addresses are listened on, a bare address
      is let through, since no name can be rebound to it, and the token is needed anyway.
    - Writes from pages of another origin are refused.
    - Bodies beyond 16 kB are refused, whatever their header says.
    - Where there is a token, every request must carry it: as ``Authorization: Bearer``, as cookie,
      or once as ``?token=`` on the page, which sets the cookie.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    hosts : iterable of str
        Further names to be reached under.
    any_address : bool
        Whether all addresses are listened on.
    token : str or None
        The secret.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str] = (), any_address: bool = False,
        token: str | None = None,
    ) -> None:  # fmt: skip
        self._app, self._any_address, self._token = app, any_address, token
        self._hosts = _LOCAL | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer[name] = value
            await send(message)

        refused = self._refuse(scope, headers) or self._ask_token(scope, headers)
        if refused is not None:
            await refused(scope, receive, send_guarded)
            return
        if scope["method"] not in _READS:
            body = await _read_body(receive)
            if body is None:
                answer = _no(413, f"A request must have at most {LARGEST_BODY} bytes.")
                await answer(scope, receive, send_guarded)
                return
            receive = _replay(body)
        await self._app(scope, receive, send_guarded)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        name = host_name(headers.get("host", ""))
        if name not in self._hosts and not (self._any_address and _is_address(name)):
            return _no(421, "This page answers under the address it was started with only.")
        if scope["method"] in _READS:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
            return _no(403, "Writing is refused to pages of another origin.")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _no(403, "Writing is refused to pages of another origin.")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _no(415, "A request's body must be JSON.")
        return None

    def _ask_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self._token is None:
            return None
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and self._is_token(asked):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._is_token(bearer) or self._is_token(_cookie(headers.get("cookie", ""))):
            return None
        return _no(401, "This page needs its token: open the address that `counterstain serve` "
                   "printed, with ?token=...")  # fmt: skip

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _no(status: int, sentence: str) -> Response:
    return JSONResponse({"detail": sentence}, status)


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body; None where it is too long."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            return None
        parts.append(part)
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
