"""The kinds of ONNX files that the runtime reads: its own and those of other projects.

Each format is written from what its project publishes. A file is recognised by its inputs, outputs and metadata, so
that nobody has to say what it is.
"""

from fusedet.common.errors import InputError
from fusedet.deploy.detector.formats.base import Candidates, ModelFormat, inputs_of, outputs_of
from fusedet.deploy.detector.formats.detr import Detr
from fusedet.deploy.detector.formats.distributions import NanoDet, PicoDet
from fusedet.deploy.detector.formats.fastestdet import FastestDet
from fusedet.deploy.detector.formats.fusedet_file import FusedetFile, RawFile
from fusedet.deploy.detector.formats.ultralytics_file import UltralyticsFile
from fusedet.deploy.detector.formats.yolox import Yolox
from fusedet.deploy.detector.runtimes.protocol import Session

__all__ = ["FORMATS", "Candidates", "FusedetFile", "ModelFormat", "PicoDet", "UltralyticsFile", "find_format"]

#: What can be read. Formats that metadata tell apart come before those that shapes do.
FORMATS: tuple[type[ModelFormat], ...] = (
    RawFile,
    FusedetFile,
    UltralyticsFile,
    Detr,
    PicoDet,
    NanoDet,
    Yolox,
    FastestDet,
)


def find_format(session: Session, source: str) -> ModelFormat:
    """The format of an opened file, whose name is ``source``.

    Raises:
        InputError: the file is of no known format, or is damaged.
    """
    for kind in FORMATS:
        if kind.recognises(session):
            return kind(session, source)
    known = "; ".join(f"{kind.title}: {kind.marks}" for kind in FORMATS if kind not in (RawFile, FusedetFile))
    raise InputError(
        f"{source}: not a fusedet model ({FusedetFile.marks}); expected that or one of other projects ({known}), "
        f"but it takes {inputs_of(session)} and gives {outputs_of(session)}"
    )
