"""Asks a camera over HTTP, with basic or digest authentication."""

import http.client
import ssl
import urllib.error
import urllib.request
from functools import cache
from urllib.parse import quote, unquote, urlunsplit

from fusedet.deploy.camera.sources.address import Address

#: What :func:`ask` and reading its answer raise where none comes; a refusal is a ``urllib.error.HTTPError``.
NO_ANSWER = (OSError, http.client.HTTPException, ValueError)


def ask(address: Address, timeout_s: float) -> http.client.HTTPResponse:
    """The answer to a ``GET``, whose body is still to be read.

    As with FFmpeg, which reads all other kinds of streams, certificates are not checked: cameras sign their own.
    ``timeout_s`` is for connecting, and for each piece of the answer.

    Raises:
        urllib.error.HTTPError: the camera refuses; ``code`` says why.
        OSError, http.client.HTTPException, ValueError: there is no answer.
    """
    parts = address.parts
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, host, _quoted(parts.path or "/"), _quoted(parts.query), ""))
    logins = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if address.has_login:
        logins.add_password(None, url, unquote(parts.username or ""), unquote(parts.password or ""))
    opener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(logins),
        urllib.request.HTTPDigestAuthHandler(logins),
        urllib.request.HTTPSHandler(context=_unchecked()),
    )
    request = urllib.request.Request(url, headers={"User-Agent": "fusedet", "Accept": "*/*"})
    answer: http.client.HTTPResponse = opener.open(request, timeout=timeout_s)
    return answer


@cache
def _unchecked() -> ssl.SSLContext:
    """Made once, and without the system's certificates: to load them takes longer than an image."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _quoted(text: str) -> str:
    """``text`` without spaces and letters that HTTP does not know; what is quoted already stays."""
    return quote(text, safe="/%:=&?~+!$,;'()*@[]")
