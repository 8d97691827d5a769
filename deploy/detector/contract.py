"""What an exported file says of itself: the metadata that the runtime reads instead of guessing.

The contract travels in the ONNX file's ``metadata_props`` under keys that begin with ``fusedet.``.
Every graph that carries it has one input and these outputs, whatever network is inside:

* ``boxes`` float32 ``[B, K, 4]``: xyxy in pixels of the network's input, not of the camera's image;
* ``scores`` float32 ``[B, K]``: in (0, 1), highest first;
* ``class_ids`` int64 ``[B, K]``: index into ``names``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from fusedet.common.arguments import check_fraction
from fusedet.common.errors import InputError
from fusedet.common.plain_json import parse_json, short

#: Raised by one when a reader of the older form would misread the newer one.
FORMAT_VERSION = 1
OUTPUT_NAMES = ("boxes", "scores", "class_ids")
#: ``uint8_nhwc_bgr``: the camera's image, letterboxed, as it is. ``float32_nchw_rgb``: RGB planes in 0..1.
INPUT_FORMATS = ("uint8_nhwc_bgr", "float32_nchw_rgb")
#: No network looks at larger images, in pixels of a side; what says so is damaged.
MOST_SIDE = 1 << 14

#: Metadata of a file with FusedConv nodes: ``true`` when no activation stands outside them, else ``false``.
FUSED_KEY = "fusedet.fused"

_PREFIX = "fusedet."


@dataclass(frozen=True)
class Contract:
    """How to feed an exported detector and how to read what it gives.

    Attributes:
        names: class names; a class id is an index into them.
        input_size: ``(height, width)`` of the network's input in pixels.
        input_format: one of :data:`INPUT_FORMATS`.
        nms: True when the boxes still need non-maximum suppression.
        nms_iou: IoU above which NMS drops the lower-scored of two boxes of a class.
        pad_value: value of the letterbox's padding, 0..255; the image is centred in it.
        strides: of the three prediction maps.
        activation: of every hidden convolution.
        negative_slope: of ``leaky_relu`` below zero; 0 for other activations.
        extra: free text for people: training data, metrics, versions, licence.
    """

    names: tuple[str, ...]
    input_size: tuple[int, int]
    input_format: str = "uint8_nhwc_bgr"
    nms: bool = False
    nms_iou: float = 0.6
    pad_value: int = 114
    strides: tuple[int, ...] = (8, 16, 32)
    activation: str = "leaky_relu"
    negative_slope: float = 0.1
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.input_format not in INPUT_FORMATS:
            raise InputError(
                f"input_format must be one of {', '.join(INPUT_FORMATS)}, but got {short(self.input_format)}"
            )
        if not self.names:
            raise InputError("a detector needs at least one class name, but names is empty")
        if not isinstance(self.names, tuple) or not all(isinstance(name, str) for name in self.names):
            raise InputError(f"names must be a tuple of text, but got {short(self.names)}")
        sides = self.input_size if isinstance(self.input_size, tuple) else ()
        if len(sides) != 2 or any(not _is_number(side) or not 1 <= side <= MOST_SIDE for side in sides):
            raise InputError(
                f"input_size must be (height, width) in pixels, 1 to {MOST_SIDE} each, but got {short(self.input_size)}"
            )
        if not isinstance(self.nms, bool):
            raise InputError(f"nms must be true or false, but got {short(self.nms)}")
        check_fraction("nms_iou", self.nms_iou)
        if not _is_number(self.pad_value) or not 0 <= self.pad_value <= 255:
            raise InputError(f"pad_value must be in 0..255, but got {short(self.pad_value)}")

    def to_metadata(self) -> dict[str, str]:
        """The contract as flat text, for ``metadata_props``: every value is JSON."""
        values: dict[str, Any] = {"format_version": FORMAT_VERSION, **asdict(self)}
        return {_PREFIX + key: json.dumps(value) for key, value in values.items()}

    @classmethod
    def stands_in(cls, metadata: Mapping[str, str]) -> bool:
        """Whether an ONNX file's metadata hold a contract, be it damaged: other keys of fusedet's are none."""
        keys = {"format_version", *(f.name for f in fields(cls))}
        return any(_PREFIX + key in metadata for key in keys)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> "Contract":
        """Reads the contract out of an ONNX file's ``metadata_props``; messages name the file ``source``.

        Raises:
            InputError: the file is not fusedet's, is of a newer form, or its metadata is damaged.
        """
        if _PREFIX + "format_version" not in metadata:
            raise InputError(f"{source}: not a fusedet model: its metadata has no {_PREFIX}format_version")
        try:
            values = {
                key[len(_PREFIX) :]: parse_json(text) for key, text in metadata.items() if key.startswith(_PREFIX)
            }
        except ValueError as error:
            raise InputError(f"{source}: damaged metadata: {error}") from error
        version = values.pop("format_version")
        if version != FORMAT_VERSION:
            raise InputError(
                f"{source}: written in form {short(version)} of the metadata, this fusedet reads form {FORMAT_VERSION}"
            )
        known = {f.name for f in fields(cls)}
        required = {"names", "input_size", "input_format", "nms"}
        if not required <= values.keys():
            raise InputError(f"{source}: damaged metadata: lacks {', '.join(sorted(required - values.keys()))}")
        values = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key in known}
        try:
            return cls(**values)
        except (TypeError, InputError) as error:
            raise InputError(f"{source}: damaged metadata: {error}") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
