"""Tells systemd how the service is: sd_notify(3), without its library."""

import os
import socket


def notify(state: str) -> bool:
    """Sends a state such as ``READY=1``, ``WATCHDOG=1`` or ``STATUS=text``; False where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address[0] == "@":  # Linux's abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(address)
            channel.sendall(state.encode())
    except OSError:
        return False
    return True
