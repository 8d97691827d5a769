"""Runs in a fresh environment with nothing but the runtime: imports all of it, and draws an image.

python on_a_board.py IMAGE [SKIPPED PACKAGE ...]
"""

import importlib
import pkgutil
import sys

import fusedet.deploy
from fusedet.deploy.detector.opencv import cv2

path, *skipped = sys.argv[1:]
modules = [
    info.name
    for info in pkgutil.walk_packages(fusedet.deploy.__path__, "fusedet.deploy.", onerror=lambda name: None)
    if not any(info.name == name or info.name.startswith(f"{name}.") for name in skipped)
]
for name in modules:
    importlib.import_module(name)
assert len(modules) > 60, modules

for absent in ("torch", "onnx", "lightning_fabric", "matplotlib"):
    assert absent not in sys.modules
    try:
        importlib.import_module(absent)
    except ModuleNotFoundError:
        continue
    raise AssertionError(f"{absent} is installed, so that nothing is shown")

import numpy as np  # noqa: E402

image = np.full((240, 320, 3), 120, np.uint8)
cv2.rectangle(image, (60, 40), (180, 200), (30, 60, 200), -1)
cv2.circle(image, (240, 120), 40, (200, 220, 40), -1)
assert cv2.imwrite(path, image)
print(len(modules), "modules")
