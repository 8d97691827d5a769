"""Our networks in the two layouts that Ultralytics exports to ONNX, so that what reads its files reads ours.

``images`` is float32 ``[B, 3, H, W]``, RGB in 0..1; ``output0`` is, all in pixels of the input,

* of the one-to-many branch ``[B, 4 + classes, points]``: centre x, centre y, width and height, then a score for each
  class, as of yolov8 and yolo11; suppression is the reader's;
* of the one-to-one branch ``[B, K, 6]``: xyxy, score and class, the best first, as of yolo26.

The metadata have the keys that Ultralytics looks for. Nothing of Ultralytics is needed to write such a file.
"""

import torch
from torch import Tensor, nn

from fusedet.deploy.detector.contract import Contract
from fusedet.model import DetectorNet, InferenceGraph

OUTPUT_NAME = "output0"


class UltralyticsGraph(nn.Module):
    """A folded copy of a network whose one output is laid out as Ultralytics' are.

    With ``nms`` that of the one-to-many branch; else that of the one-to-one branch, with ``max_detections`` boxes
    (300).
    """

    points: Tensor

    def __init__(
        self,
        net: DetectorNet,
        *,
        nms: bool = True,
        max_detections: int | None = None,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.graph = InferenceGraph(
            net, nms=nms, input_format="float32_nchw_rgb", max_detections=max_detections, input_size=input_size
        )
        self.nms = nms
        self.register_buffer("points", self.graph.points.T.contiguous(), persistent=False)  # [2, A]

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """``[B, 3, H, W]``, RGB in 0..1 -> ``[B, 4 + classes, A]`` or ``[B, K, 6]``, see the head of this file."""
        return (self._points(images) if self.nms else self._detections(images),)

    def _points(self, images: Tensor) -> Tensor:
        graph = self.graph
        _, logits, distances = graph.head(graph.neck(graph.backbone(images)))
        sides = distances * graph.strides  # [B, 4, A] from the point to the left, top, right and bottom, in pixels
        before, after = sides[:, :2], sides[:, 2:]
        return torch.cat((self.points + (after - before) / 2, before + after, logits.sigmoid()), 1)

    def _detections(self, images: Tensor) -> Tensor:
        boxes, scores, class_ids = self.graph(images)
        return torch.cat((boxes, scores[..., None], class_ids[..., None].to(boxes.dtype)), 2)


def ultralytics_metadata(contract: Contract) -> dict[str, str]:
    """What the file says of itself, under the keys and in the form in which Ultralytics reads it.

    ``description`` holds what else the contract knows.
    """
    facts = contract.extra
    values: dict[str, object] = {
        "description": "; ".join(["fusedet detector", *(f"{name} {value}" for name, value in facts.items())]),
        "author": "fusedet",
        "version": facts.get("fusedet", ""),
        "license": facts.get("licence", ""),
        "task": "detect",
        "head": "Detect",
        "stride": max(contract.strides),
        "batch": 1,
        "channels": 3,
        "imgsz": list(contract.input_size),
        "names": dict(enumerate(contract.names)),
        # dynamic: height and width may be any, which they may not. nms: suppression is in the graph, which it never is.
        "args": {"batch": 1, "dynamic": False, "nms": False},
        "end2end": not contract.nms,
    }
    return {key: str(value) for key, value in values.items()}


def ultralytics_description(contract: Contract) -> str:
    """What somebody who opens the file in a viewer should know."""
    height, width = contract.input_size
    output = (
        f"[B, {4 + len(contract.names)}, points]: centre x, centre y, width, height, a score for each class; needs NMS"
        if contract.nms
        else "[B, K, 6]: xyxy, score, class; no NMS needed"
    )
    return (
        f"fusedet object detector of {len(contract.names)} classes, in the layout of Ultralytics. "
        f"images: float32 [B, 3, {height}, {width}], RGB in 0..1, letterboxed with padding {contract.pad_value}. "
        f"{OUTPUT_NAME}: {output}; in input pixels."
    )
