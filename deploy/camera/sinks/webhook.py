"""Events for a web server, each by one HTTP POST."""

import contextlib
import http.client
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, unquote

from fusedet.common.addresses import split_address
from fusedet.common.errors import InputError
from fusedet.deploy.camera.sinks.delivery import Delivery, NotDeliveredError, renewed
from fusedet.deploy.camera.sinks.tls import TlsSettings

#: Answers of the 400s that do not mean that the event is wrong: too slow, and too many.
_TRY_AGAIN = frozenset({408, 429})
_LONGEST_ASKED_WAIT_S = 600.0
_MOST_OF_ANSWER = 1 << 16


class Webhook(Delivery):
    """Posts each event as JSON, one after the other, in order.

    An answer of 200 to 299 takes the event off the queue. One of 400 to 499 other than 408 and 429 says that the event
    is wrong: it is given up, and counted in ``dropped``. After everything else, and after no answer, it is tried again,
    first after a second, then after twice as long each time, up to 30 s, or as long as ``Retry-After`` asks.
    Redirects are not followed. An event may arrive twice, where the connection breaks before the answer: its ``id``
    tells.
    """

    events_only = True

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        queue: Path,
        queue_events: int,
        tls: TlsSettings | None = None,
        first_wait_s: float = 1.0,
    ) -> None:
        """Begins to send.

        Args:
            url: ``https://`` or ``http://``; a user and a password in it are sent as basic authentication.
            headers: sent with each event, beside ``Content-Type``.
            timeout_s: for connecting, and for each answer.
            queue: folder that holds events until they were taken.
            queue_events: the oldest beyond so many are given up.
            tls: for ``https://``; None: the system's certificates.
            first_wait_s: before the first new attempt.

        Raises:
            InputError: the address, a header, a certificate or the folder cannot be used.
        """
        self._url = _checked(url)
        self._target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        self._headers = _checked_headers(self._url, headers)
        self._tls = tls or TlsSettings()
        self._tls.context()
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        super().__init__("webhook", self._url.hostname or "", queue, queue_events, first_wait_s)
        self._thread.start()

    def _deliver(self) -> None:
        try:
            while not self._is_over():
                records = self._spool.read(0, 1)
                if not records:
                    self._disconnect()  # a server would end an idle connection, just when it is needed
                    self._pause()
                    continue
                self._spool.tend()
                self._post(records[0].text)
                self._spool.take(records[0].number)
        finally:
            self._disconnect()

    def _interrupt(self) -> None:
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):  # it has just ended by itself
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _post(self, text: str) -> None:
        """Sends one event; returns when it was taken, or refused for good."""
        if self._connection is None:
            self._connection = self._connect()
        try:
            self._connection.request("POST", self._target, text.encode("ascii"), self._headers)
            answer = self._connection.getresponse()
            left_over = len(answer.read(_MOST_OF_ANSWER)) == _MOST_OF_ANSWER
        except TimeoutError as error:
            raise NotDeliveredError(f"no answer within {self._timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise NotDeliveredError(_reason(error)) from error
        if left_over or answer.will_close:
            self._disconnect()
        said = f"the server answers {answer.status} {answer.reason}".rstrip()
        if 200 <= answer.status < 300:
            self._all_is_well()
        elif 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:
            self._refused += 1
            self._say(f"{said}, so events are given up")
        elif 300 <= answer.status < 400:
            raise NotDeliveredError(f"{said}, but redirects are not followed: give the address that is meant")
        else:
            raise NotDeliveredError(said, _asked_wait(answer.headers.get("Retry-After", "")))

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout_s = self._url.hostname or "", self._url.port, self._timeout_s
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=renewed(self._tls))
        return http.client.HTTPConnection(host, port, timeout=timeout_s)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _checked(url: str) -> SplitResult:
    """The parts of an address. What is wrong is said without the address, which may hold a password."""
    try:
        parts = split_address(url)
    except InputError as error:
        raise InputError(f"webhook: expected an address such as https://host/path, but: {error}") from None
    usable = parts.scheme in ("http", "https") and parts.port != 0
    if not usable or not url.isascii() or any(character.isspace() for character in url):
        raise InputError("webhook: expected an address such as https://host/path")
    return parts


def _checked_headers(url: SplitResult, headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise InputError(f"webhook: header {name!r}: a name is letters, digits and hyphens")
        if not value.isprintable() or not value.isascii():
            raise InputError(f"webhook: header {name}: its value must be printable ASCII in one line")
    known = {"Content-Type": "application/json", "User-Agent": "fusedet"}
    if url.username is not None:
        user = f"{unquote(url.username)}:{unquote(url.password or '')}"
        known["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    given = {name.lower() for name in headers}
    return {name: value for name, value in known.items() if name.lower() not in given} | dict(headers)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not accepted: {error.verify_message}"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).rstrip(".")
    return f"the answer is not HTTP: {type(error).__name__}"


def _asked_wait(text: str) -> float:
    return min(float(text), _LONGEST_ASKED_WAIT_S) if text.isdecimal() else 0.0
