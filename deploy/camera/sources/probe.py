"""Finds out why an address gives no video, which FFmpeg does not tell."""

import re
import socket

from fusedet.deploy.camera.sources.address import Address
from fusedet.deploy.camera.sources.attached.device import CameraError

_MOST_BYTES = 4096


class LoginError(CameraError):
    """It does not let this user in."""


def why_no_video(address: Address, timeout_s: float) -> CameraError:
    """Asks the host itself: is it there, does it take connections, what does it answer. Never raises.

    It waits for ``timeout_s`` at most, but a name server may take longer. No password is sent.
    """
    where = f"{address.host}:{address.port}"
    try:
        connection = socket.create_connection((address.host, address.port), timeout_s)
    except (socket.gaierror, UnicodeError):  # a name that is too long
        return CameraError(f"the host {address.host} cannot be found")
    except ConnectionRefusedError:
        return CameraError(f"{where} refuses the connection: nothing listens there")
    except TimeoutError:
        return CameraError(f"{where} does not answer")
    except OSError as error:
        return CameraError(f"{where} cannot be reached: {error.strerror}")
    with connection:
        if address.parts.scheme in ("rtsps", "https"):
            return CameraError(f"{where} takes the connection, but gives no video that can be read")
        try:
            connection.sendall(_question(address))
            answer = connection.recv(_MOST_BYTES)
        except TimeoutError:
            return CameraError(f"{where} takes the connection, but is silent")
        except OSError as error:
            return CameraError(f"{where} breaks off the connection: {error.strerror}")
    return _meaning(address, where, answer)


def _question(address: Address) -> bytes:
    """What a client asks first, without a password."""
    parts = address.parts
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "rtsp":
        text = f"DESCRIBE rtsp://{host}{path} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    else:
        text = f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
    return text.encode()


def _meaning(address: Address, where: str, answer: bytes) -> CameraError:
    status = re.match(rb"(?:RTSP|HTTP)/\d\.\d (\d{3})", answer)
    if status is None:
        return CameraError(f"{where} does not speak {address.parts.scheme.upper()}")
    return refusal(address, int(status[1])) or CameraError(f"{where} answers, but gives no video that can be read")


def refusal(address: Address, code: int) -> CameraError | None:
    """What an answer with this code of HTTP or RTSP means; None where it is no refusal."""
    where = f"{address.host}:{address.port}"
    if code in (401, 403):
        what = "refuses this user name and password" if address.has_login else "asks for a user name and password"
        return LoginError(f"{where} {what}")
    if code == 404:
        return CameraError(f"{where} knows no such path")
    return CameraError(f"{where} answers with the error {code}") if code >= 400 else None
