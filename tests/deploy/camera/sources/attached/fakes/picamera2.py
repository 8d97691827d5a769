"""Stands in for picamera2, which exists on a Raspberry Pi only: the part of its documented interface that is used.

Camera 0 gives an image that is blue at the left, camera 1 gives one image and then hangs, there is no camera 2, and
camera 3 is in use.
"""

import time
from typing import Any

import numpy as np

#: Calls of the last camera.
calls: list[tuple[Any, ...]] = []


class Picamera2:
    def __init__(self, camera_num: int = 0) -> None:
        calls.clear()
        if camera_num == 2:
            raise IndexError("list index out of range")
        if camera_num == 3:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self._number = camera_num
        self._given = 0
        self._config: dict[str, Any] = {}

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, Any]) -> dict[str, Any]:
        return {"main": {"size": (1280, 720), **main}, "controls": controls}

    def configure(self, config: dict[str, Any]) -> None:
        calls.append(("configure", config))
        self._config = config

    def start(self) -> None:
        calls.append(("start",))

    def capture_array(self, name: str = "main", wait: float | bool | None = None) -> Any:
        assert name == "main"
        if self._number == 1 and self._given:
            time.sleep(float(wait or 60))
            raise TimeoutError
        self._given += 1
        time.sleep(0.01)
        width, height = self._config["main"]["size"]
        assert self._config["main"]["format"] == "RGB888"
        padded = np.zeros((height, width + 32, 3), np.uint8)  # rows are padded, as the hardware wants them
        padded[:, : width // 2, 0] = 255  # B, G, R in memory
        padded[0, 0, 2] = self._given % 256
        return padded[:, :width]

    def stop(self) -> None:
        calls.append(("stop",))

    def close(self) -> None:
        calls.append(("close",))
