"""Who may ask: the token, sessions of browsers, and requests that another site's page made a browser send.

Without a token only names of this machine are answered to, so that a site whose name points here for a moment (DNS
rebinding) learns nothing. With a token a browser keeps a random session in a cookie, not the token.
"""

import asyncio
import hmac
import ipaddress
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from urllib.parse import urlsplit

from fusedet.common.errors import InputError
from fusedet.deploy.camera.web.answers import NO_STORE, Handler, error_answer
from fusedet.deploy.camera.web.framework import web

#: What the page for the token consists of.
_OPEN_TO_ALL = frozenset({"/page/page.css", "/page/login.js", "/page/icon.svg", "/healthz"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_SESSION_S = 30 * 24 * 3600
_MOST_SESSIONS = 256
#: Of the cookie. Empty: a browser takes the folder of the page, which a proxy may have put below another one.
_FOLDER = ""
_MESSAGE = b"<!--message-->"

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" a browser sends the own form with the Origin "null"
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Server": "fusedet",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """To every answer."""
    response.headers.update(_HEADERS)


class WrongGuesses:
    """Counts wrong tokens by address: after ``most`` of them within ``period_s`` no more are looked at for a while."""

    def __init__(self, most: int = 10, period_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._period_s, self._clock = most, period_s, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str | None) -> float:
        """Seconds until this address may guess again; 0: now."""
        times = self._times.get(_network(address))
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + self._period_s - self._clock())

    def add(self, address: str | None) -> None:
        """One more wrong token. The addresses that were wrong last are kept, 1024 of them."""
        key = _network(address)
        times = self._times.setdefault(key, deque(maxlen=self._most))
        times.append(self._clock())
        self._times.move_to_end(key)
        while len(self._times) > 1024:
            self._times.popitem(last=False)


class Guard:
    """Lets requests through or refuses them; ``middleware`` is for the application."""

    def __init__(self, token: str | None, host: str, port: int, login_page: bytes) -> None:
        """Takes the bound ``host`` and ``port``, and the page that asks for the token.

        Raises:
            InputError: others than this machine could come in without a token, or the token is empty.
        """
        if token is None and not is_loopback(host):
            raise InputError(f"serve.host {host} lets others in, so serve.token is required")
        if token is not None and not token.strip():
            raise InputError("serve.token must not be empty")
        self._token = token
        self._names = {"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host}
        # Cookies go to every port of a host: two pages on one board must not log each other's viewers out.
        self._cookie = f"fusedet-{port}"
        self._login_page = login_page
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._wrong = WrongGuesses()

    @property
    def has_token(self) -> bool:
        """Whether whoever asks must know a token."""
        return self._token is not None

    def knows(self, request: web.Request) -> bool:
        """Whether a request that was let through may see more than that something runs here."""
        # One with a wrong Authorization has been refused.
        return self._token is None or self._has_session(request) or "Authorization" in request.headers

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses, asks for the token, or lets through."""
        refusal = self._foreign(request)
        if refusal is not None:
            return error_answer(403, refusal)
        if self._token is None:
            return await handler(request)
        if request.path == "/login" and request.method == "POST":
            return await self._login(request)
        if request.path == "/" and "token" in request.query:
            return self._enter(request, request.query["token"])
        if self._has_session(request):
            return await handler(request)
        if "Authorization" in request.headers:
            return self._refuse_program(request) or await handler(request)
        if request.path in _OPEN_TO_ALL:
            return await handler(request)
        return self._ask() if request.path == "/" else _unauthorized("this needs the token: Authorization: Bearer ...")

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Ends the browser's session."""
        self._sessions.pop(request.cookies.get(self._cookie, ""), None)
        response = web.Response(status=303, headers={"Location": "./", **NO_STORE})
        response.del_cookie(self._cookie, path=_FOLDER)
        return response

    def _foreign(self, request: web.Request) -> str | None:
        """Why a request comes from where it should not; None: it does not."""
        host = request.headers.get("Host", "").lower()
        if self._token is None and _without_port(host) not in self._names:
            return f"this page answers to localhost only, but was asked as {host[:100]!r}"
        if request.method in _READING and request.headers.get("Upgrade", "").lower() != "websocket":
            return None
        origin = request.headers.get("Origin")
        if origin is None:  # not a browser, or an old one, which tells at least this
            return "from another site" if request.headers.get("Sec-Fetch-Site") == "cross-site" else None
        if _netloc(origin) not in {host, f"{host}:80", f"{host}:443"}:
            return "from another site: the Origin is not this page's"
        return None

    def _refuse_program(self, request: web.Request) -> web.Response | None:
        """The answer to a wrong ``Authorization``; None: it is right."""
        wait_s = self._wrong.wait_s(request.remote)
        if wait_s:
            return error_answer(429, "too many wrong tokens: wait", {"Retry-After": str(int(wait_s) + 1)})
        scheme, _, given = request.headers["Authorization"].partition(" ")
        if scheme.lower() == "bearer" and self._is_right(request, given.strip()):
            return None
        return _unauthorized("this is not the token")

    def _has_session(self, request: web.Request) -> bool:
        """A session is 256 random bits, so that wrong ones need no counting, and finding one tells nobody anything."""
        ends = self._sessions.get(request.cookies.get(self._cookie, ""))
        return ends is not None and time.monotonic() < ends

    def _is_right(self, request: web.Request, given: str) -> bool:
        assert self._token is not None
        right = hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())
        if not right:
            self._wrong.add(request.remote)
        return right

    async def _login(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/x-www-form-urlencoded":
            return error_answer(415, "this is not the form")
        try:
            form = await asyncio.wait_for(request.post(), 10)
        except (ValueError, asyncio.TimeoutError):
            return error_answer(400, "this is not the form")
        return self._enter(request, str(form.get("token", "")))

    def _enter(self, request: web.Request, given: str) -> web.StreamResponse:
        """Begins a session, and leads away from an address with the token in it."""
        if self._wrong.wait_s(request.remote):
            return self._ask("Too many wrong tokens. Wait a minute, then try again.", 429)
        if not self._is_right(request, given):
            return self._ask("That is not the token.")
        session = secrets.token_urlsafe(32)
        self._sessions[session] = time.monotonic() + _SESSION_S
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        response = web.Response(status=303, headers={"Location": "./", **NO_STORE})
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        response.set_cookie(
            self._cookie, session, max_age=_SESSION_S, path=_FOLDER, httponly=True, samesite="Strict", secure=secure
        )
        return response

    def _ask(self, message: str = "", status: int = 401) -> web.Response:
        body = self._login_page.replace(_MESSAGE, message.encode())
        return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=NO_STORE)


def _unauthorized(message: str) -> web.Response:
    return error_answer(401, message, {"WWW-Authenticate": 'Bearer realm="fusedet"'})


def _network(address: str | None) -> str:
    """The address; of IPv6 the first half, because one guest has all of the other."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.partition(":")[0]


def _netloc(origin: str) -> str:
    """``host`` or ``host:port`` of an Origin, lower case; empty where there is none, as for ``null``."""
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return ""
