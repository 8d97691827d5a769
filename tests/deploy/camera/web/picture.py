"""Photographs the page for the docs: ``python -m tests.deploy.camera.web.picture docs/images/page.png [SECONDS]``."""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from fusedet.deploy.camera.web.server import WebServer
from tests.deploy.camera.web.browser import Browser
from tests.deploy.camera.web.street import PLACES, Film, MemoryMonitor


def main(path: Path, seconds: float = 100.0) -> None:
    """The drawn street after so many seconds, which the curves show."""
    monitor = MemoryMonitor(("street", "yard"))
    monitor.sinks = {
        "events": {"written": 1482, "dropped": 0, "waiting": 0, "error": None},
        "mqtt": {"written": 1460, "dropped": 0, "waiting": 0, "error": None},
    }
    for camera in monitor.cameras:
        monitor.set_places(camera, PLACES)
    film, server, browser = Film(monitor, fps=10), WebServer(monitor, port=0), Browser(1280, 800)
    try:
        server.start()
        browser.open(server.url + "#street")
        time.sleep(seconds)
        browser.screenshot(path)
        assert browser.problems == []
        _shrink(path)
    finally:
        browser.close()
        server.close()
        film.close()


def _shrink(path: Path) -> None:
    """Leaves out the lowest bits of the colours, which no eye sees and PNG cannot pack."""
    image = cv2.imread(str(path))
    assert image is not None
    coarse = np.where(image == 255, 255, np.minimum((image.astype(int) + 2) // 4 * 4, 255)).astype(np.uint8)
    cv2.imwrite(str(path), coarse, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:3]))
