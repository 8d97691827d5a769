"""From a trained network to a verified ONNX file in which every activation lives inside its convolution.

from fusedet.export import export_onnx

result = export_onnx("runs/nano-1", "models")
print(result.fused, *result.agreement, sep="\\n")
"""

from fusedet.export.errors import ExportError
from fusedet.export.fuse import Declined, FusionResult, fuse, standing_activations
from fusedet.export.ops import count_ops, optimize
from fusedet.export.pipeline import ExportResult, export_onnx
from fusedet.export.to_onnx import to_onnx
from fusedet.export.verify import Agreement, Tolerance, verify

__all__ = [
    "Agreement",
    "Declined",
    "ExportError",
    "ExportResult",
    "FusionResult",
    "Tolerance",
    "count_ops",
    "export_onnx",
    "fuse",
    "optimize",
    "standing_activations",
    "to_onnx",
    "verify",
]
