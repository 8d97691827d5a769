"""From what a user names to a source."""

import glob
import os
from pathlib import Path, PurePosixPath
from typing import Any

from fusedet.common.addresses import hide_secrets
from fusedet.common.errors import InputError
from fusedet.deploy.camera.sources.address import Address, parse_address
from fusedet.deploy.camera.sources.attached.csi import CsiCamera, is_csi
from fusedet.deploy.camera.sources.attached.device import Device
from fusedet.deploy.camera.sources.attached.usb import UsbCamera
from fusedet.deploy.camera.sources.ffmpeg import open_address
from fusedet.deploy.camera.sources.files.contents import VIDEO_SUFFIXES, is_image, is_video, open_file
from fusedet.deploy.camera.sources.files.growing import GrowingImages
from fusedet.deploy.camera.sources.files.images import IMAGE_SUFFIXES, Images, only_images
from fusedet.deploy.camera.sources.files.video import Video
from fusedet.deploy.camera.sources.frame import Source
from fusedet.deploy.camera.sources.live import LiveSource
from fusedet.deploy.camera.sources.network import NetworkCamera
from fusedet.deploy.camera.sources.probe import why_no_video
from fusedet.deploy.camera.sources.settings import SourceSettings
from fusedet.deploy.detector.opencv import cv2

#: Behind http, these are files with an end. Others, such as .ts, may as well be a camera that streams.
_FILES_OF_THE_WEB = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})
_DEFAULTS = SourceSettings()


def open_source(text: str, settings: SourceSettings = _DEFAULTS, *, patient: bool = False) -> Source:
    """Opens what a user named.

    A camera: its number, ``/dev/videoN`` (or a link to one), ``csi`` or ``csi:N``; a camera of the network: its
    ``rtsp://`` or ``http://`` address, with ``user:password@`` percent-encoded where it needs them; a video, here or
    behind ``http://``; an image; a folder; a glob of images. What is in a file tells whether it is a video, not its
    suffix. A file whose name is a number is named ``./0``. A folder's own images are read, not those of the folders
    in it; ``folder/**/*.jpg`` reaches those.

    What is wrong is said here, before any work: a single image, a video and a camera give their first image.

    Args:
        text: what to open.
        settings: how.
        patient: for a program that runs for months. A camera or an address need not be there yet, and is opened anew
            whenever it fails, for ever; ``health`` tells how it is. Otherwise the first failure ends it.

    Raises:
        InputError: nothing there, nothing in it, or nothing that can be read.
    """
    if text.isdecimal() or text.startswith("/dev/"):
        return _open_live(UsbCamera(text, settings), settings, patient)
    if is_csi(text) and not Path(text).exists():
        return _open_live(CsiCamera(text, settings), settings, patient)
    if "://" in text:
        return _open_address(parse_address(text), settings, patient)
    path = Path(text)
    if settings.follow and os.path.isdir(path):
        return GrowingImages(path.iterdir, path.resolve().name)
    if settings.follow and glob.has_magic(text) and not os.path.exists(path):
        return GrowingImages(lambda: map(Path, glob.glob(text, recursive=True)), "images")
    if os.path.isdir(path):
        return Images(only_images(path.iterdir(), f"{text}: no image in this folder"), path.resolve().name)
    if os.path.isfile(path):
        return _open_file(text, path, settings)
    if glob.has_magic(text):
        paths = only_images(map(Path, glob.glob(text, recursive=True)), f"{hide_secrets(text)}: no image matches")
        return Images(paths, Path(os.path.commonpath([p.parent.resolve() for p in paths])).name)
    raise InputError(f"{hide_secrets(text)}: no such file or folder, and not a camera's number")


def check_source(text: str, settings: SourceSettings) -> None:
    """Opens files, and takes addresses apart; asks nothing of a camera or the network.

    Raises:
        InputError: :func:`open_source` could not open it, whatever the camera does.
    """
    if "://" in text:
        parse_address(text)
    elif not (text.isdecimal() or text.startswith("/dev/") or (is_csi(text) and not Path(text).exists())):
        open_source(text, settings).close()


def _open_file(text: str, path: Path, settings: SourceSettings) -> Source:
    """A video or an image, by what is in the file."""
    if is_video(path) or (not is_image(path) and path.suffix.lower() in VIDEO_SUFFIXES):
        return Video(lambda: open_file(text), text, path.name, path, settings)
    if not is_image(path) and path.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(f"{text}: not an image that OpenCV can decode, nor a video that it can read")
    return Images([path], path.stem)


def _open_address(address: Address, settings: SourceSettings, patient: bool) -> Source:
    if cv2.CAP_FFMPEG not in cv2.videoio_registry.getStreamBackends():
        raise InputError(f"{address.shown}: addresses need an OpenCV with FFmpeg, and this one has none")
    name = PurePosixPath(address.parts.path).name
    if address.parts.scheme.startswith("http") and PurePosixPath(name).suffix.lower() in _FILES_OF_THE_WEB:
        return Video(lambda: _open_file_of_the_web(address, settings), address.shown, name, None, settings)
    return _open_live(NetworkCamera(address, settings), settings, patient)


def _open_file_of_the_web(address: Address, settings: SourceSettings) -> Any:
    capture = open_address(address.url, settings)
    if not capture.isOpened():
        raise InputError(f"{address.shown}: {why_no_video(address, settings.timeout_s)}")
    return capture


def _open_live(device: Device, settings: SourceSettings, patient: bool) -> Source:
    source = LiveSource(device, settings, patient)
    if not patient:
        source.wait_for_first()
    return source
