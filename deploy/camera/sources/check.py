"""What is wrong with a source, as far as it shows without a camera."""

from pathlib import Path

from fusedet.deploy.camera.sources.address import parse_address
from fusedet.deploy.camera.sources.attached.csi import is_csi
from fusedet.deploy.camera.sources.open import open_source
from fusedet.deploy.camera.sources.settings import SourceSettings


def check_source(text: str, settings: SourceSettings) -> None:
    """Opens files, and takes addresses apart; asks nothing of a camera or the network.

    Raises:
        InputError: :func:`~fusedet.deploy.camera.sources.open.open_source` could not open it, whatever the camera does.
    """
    if "://" in text:
        parse_address(text)
    elif not (text.isdecimal() or text.startswith("/dev/") or (is_csi(text) and not Path(text).exists())):
        open_source(text, settings).close()
