"""The network as it is exported and as training evaluates it: images in, detections out."""

import torch
from torch import Tensor, nn

from fusedet.model.decode import Anchors, anchor_points, select_top
from fusedet.model.detector import PIXEL_SCALE, STRIDES, DetectorNet
from fusedet.model.head import ExportHead, ExportOutput
from fusedet.model.reparam import fold, scale_input

#: Boxes of an image that NMS chooses from. Five points learn each object: enough for a hundred of them. Twice as many
#: find no more in images with tens of objects, and take a small network 7 % longer.
NMS_CANDIDATES = 500

#: Classes that one anchor point may report, each with its score.
_CLASSES_PER_POINT = 2


class InferenceGraph(nn.Module):
    """A folded network with its decoding.

    Args:
        net: a trained network; it is copied and folded.
        nms: take the one-to-many branch, whose boxes need non-maximum suppression; else the one-to-one branch.
        input_format: ``uint8_nhwc_bgr`` (``[B, H, W, 3]`` bytes as a camera gives them) or ``float32_nchw_rgb``
            (``[B, 3, H, W]`` in 0..1). The scaling and the channel order are folded into the stem's weights.
        max_detections: K, boxes for each image; left out, :data:`NMS_CANDIDATES` where NMS follows, else 300.
        input_size: ``(height, width)`` in pixels; left out, that of the network's config.
    """

    points: Tensor
    strides: Tensor

    def __init__(
        self,
        net: DetectorNet,
        *,
        nms: bool = True,
        input_format: str = "uint8_nhwc_bgr",
        max_detections: int | None = None,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        if input_format not in ("uint8_nhwc_bgr", "float32_nchw_rgb"):
            raise ValueError(f"input_format must be uint8_nhwc_bgr or float32_nchw_rgb, but got {input_format!r}")
        self.bytes_input = input_format == "uint8_nhwc_bgr"
        net = fold(net)
        if self.bytes_input:
            scale_input(net, PIXEL_SCALE)
        else:
            scale_input(net, 1.0, flip_channels=True)
        self.backbone, self.neck = net.backbone, net.neck
        self.head = ExportHead(net.head, nms=nms)
        self.input_size = input_size or net.config.input_size
        anchors = anchor_points(self.input_size, STRIDES)
        assert net.config.classes is not None
        self.classes_per_point = min(_CLASSES_PER_POINT, net.config.classes)
        self.max_detections = min(max_detections or (NMS_CANDIDATES if nms else 300), len(anchors.points))
        anchors = anchors.to(next(net.parameters()).device)
        self.register_buffer("points", anchors.points, persistent=False)
        self.register_buffer("strides", anchors.strides, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes ``[B, K, 4]`` xyxy in input pixels, scores ``[B, K]`` highest first, class ids ``[B, K]``."""
        if self.bytes_input:
            images = images.permute(0, 3, 1, 2).to(torch.float32)  # [B, H, W, 3] -> [B, 3, H, W]
        output: ExportOutput = self.head(self.neck(self.backbone(images)))
        return select_top(output, Anchors(self.points, self.strides), self.max_detections, self.classes_per_point)
