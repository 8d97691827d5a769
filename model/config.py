"""What a network is made of: the ``model:`` section of a config."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from fusedet.configs.reader.strict import StrictModel

ActivationName = Literal["leaky_relu", "relu", "prelu", "silu", "hardswish", "elu", "sigmoid", "tanh"]

#: Deepest stride of the network: every input side is a multiple of it.
MAX_STRIDE = 32
#: ONNX Runtime's blocked layout holds channels in blocks of 8 or 16: other counts waste the rest of a block.
CHANNEL_BLOCK = 16

Channels = Annotated[int, Field(ge=CHANNEL_BLOCK, le=4096, multiple_of=CHANNEL_BLOCK)]
#: More is a slip of the finger, or a damaged file, and would take all memory before it fails.
Depth = Annotated[int, Field(le=100)]
OddKernel = Literal[3, 5, 7]


def _square(value: object) -> object:
    """``320`` means ``[320, 320]``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    return tuple(value) if isinstance(value, list) else value


Side = Annotated[int, Field(ge=MAX_STRIDE, le=1 << 14, multiple_of=MAX_STRIDE)]
#: ``(height, width)`` in pixels.
InputSize = Annotated[tuple[Side, Side], BeforeValidator(_square, json_schema_input_type=Side | tuple[Side, Side])]


class StageConfig(StrictModel):
    """One backbone stage: a convolution that halves the map, then ``depth`` residual blocks."""

    channels: Channels = Field(description="of the stage's map")
    depth: Depth = Field(1, ge=0, description="residual blocks after the convolution that halves the map")
    expand: float = Field(2.0, gt=0, le=8, description="width of a block's inside over its outside")
    kernel: OddKernel = Field(3, description="side of the residual blocks' kernels")
    block: Literal["inverted", "fused"] = Field(
        "inverted", description="inverted: 1x1, depthwise, 1x1; fused: dense kernel, 1x1"
    )


class NeckConfig(StrictModel):
    """The top-down and bottom-up path that mixes strides 8, 16 and 32."""

    channels: Channels = Field(96, description="of each of the three maps")
    depth: Depth = Field(1, ge=1, description="blocks after each fusion")
    kernel: OddKernel = Field(3, description="side of the depthwise kernels")


class HeadConfig(StrictModel):
    """The decoupled head: one tower for classes and one for boxes at each stride."""

    channels: Channels = Field(96, description="width of each tower")
    depth: Depth = Field(2, ge=1, description="depthwise-separable layers in each tower")
    kernel: OddKernel = Field(3, description="side of the depthwise kernels")


class ModelConfig(StrictModel):
    """A compact anchor-free detector on strides 8, 16 and 32.

    ``input_size`` is ``(height, width)`` in pixels, each a multiple of 32; a single number is a square.
    ``classes`` is the number of classes; left out, it is taken from the training annotations.
    """

    input_size: InputSize = Field((320, 320), description="height and width in pixels; one number is a square")
    classes: int | None = Field(
        None, ge=1, le=100_000, description="how many; left out, as many as the training annotations name"
    )
    activation: ActivationName = Field(
        "leaky_relu", description="of those, an export can fuse leaky_relu, relu, sigmoid and tanh with convolutions"
    )
    negative_slope: float = Field(0.1, ge=0, lt=1, description="slope of leaky_relu below zero")
    stem_channels: Channels = Field(16, description="of the first convolution")
    stages: list[StageConfig] = Field(min_length=4, max_length=4, description="stages at strides 4, 8, 16 and 32")
    neck: NeckConfig = NeckConfig()
    head: HeadConfig = HeadConfig()
    reparam: bool = Field(True, description="train a 1x1 kernel beside each larger one, which fold into one")

    @model_validator(mode="after")
    def _slope_belongs_to_leaky_relu(self) -> "ModelConfig":
        if self.activation != "leaky_relu" and "negative_slope" in self.model_fields_set and self.negative_slope != 0.1:
            raise ValueError(f"negative_slope is a setting of leaky_relu, but activation is {self.activation}")
        return self
