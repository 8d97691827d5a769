"""What the detector asks of a runtime: the calls of ONNX Runtime's session that it makes, and no others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network. Sizes that are left open are text; types are in ONNX Runtime's words."""

    name: str
    shape: list[int | str]
    type: str


@dataclass(frozen=True)
class Metadata:
    """What a file says of itself; see :class:`fusedet.deploy.detector.contract.Contract`."""

    custom_metadata_map: dict[str, str]


class Session(Protocol):
    """An opened network. ``onnxruntime.InferenceSession`` is one. Several threads may call ``run`` at once."""

    def get_inputs(self) -> Sequence[Any]:
        """Each like :class:`Tensor`."""
        ...

    def get_outputs(self) -> Sequence[Any]:
        """Each like :class:`Tensor`."""
        ...

    def get_modelmeta(self) -> Any:
        """Like :class:`Metadata`."""
        ...

    def run(self, output_names: Any, input_feed: Any) -> Any:
        """Arrays of the named outputs, in this order; None: of all. ``input_feed`` is input name -> array."""
        ...


Feed = Mapping[str, NDArray[Any]]
