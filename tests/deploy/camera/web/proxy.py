"""A reverse proxy that has the page below a path, as nginx has with ``location /cams/``."""

import re
import socket
import threading
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.1\r\n")
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Passes on what is asked below ``path``, also WebSockets, and answers 404 to everything else."""

    def __init__(self, url: str, path: str = "/cams/") -> None:
        target = urlsplit(url)
        self._target = (str(target.hostname), int(target.port or 80))
        self._path = path.encode()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://localhost:{self._listening.getsockname()[1]}{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            while data := _receive(client):
                match = _REQUEST.match(data)
                if match and not match[2].startswith(self._path):
                    client.sendall(_NOT_FOUND)
                    return
                server.sendall(data.replace(b" " + self._path, b" /", 1) if match else data)


def _copy(source: socket.socket, to: socket.socket) -> None:
    while data := _receive(source):
        try:
            to.sendall(data)
        except OSError:
            return


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""
