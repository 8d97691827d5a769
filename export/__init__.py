"""From a trained network to a verified ONNX file in which every activation lives inside its convolution.

from fusedet.export import export_onnx

result = export_onnx("runs/nano-1", "models")
print(result.fused, *result.agreement, sep="\\n")

And from a file that somebody else exported: ``fuse_file`` fuses it, ``lint`` says what stands in the way.
"""

import fusedet.common.privacy  # noqa: F401  before anything imports ONNX Runtime
from fusedet.export.errors import ExportError
from fusedet.export.graph.batchnorm import fold_batchnorms
from fusedet.export.graph.fuse import Declined, FusionResult, fuse, unfused_activations
from fusedet.export.graph.ops import count_ops, optimize
from fusedet.export.graph.quantize import Int8Settings, Quantized, quantize
from fusedet.export.graph.to_onnx import to_onnx
from fusedet.export.lint.foreign import (
    Comparison,
    ForeignResult,
    Prepared,
    fuse_file,
    input_shapes,
    prepare,
    random_inputs,
    read_foreign,
)
from fusedet.export.lint.lint import Finding, Lint, LintReport, lint
from fusedet.export.pipeline import ExportOptions, ExportResult, export_onnx
from fusedet.export.proof.certificate import Certificate, Check, Limits
from fusedet.export.proof.certified import certificate_paths, export_certified
from fusedet.export.proof.measure import Latency, TimeShares, compare_latency, time_shares
from fusedet.export.proof.verify import Agreement, Tolerance, verify

__all__ = [
    "Agreement",
    "Certificate",
    "Check",
    "Comparison",
    "Declined",
    "ExportError",
    "ExportOptions",
    "ExportResult",
    "Finding",
    "ForeignResult",
    "FusionResult",
    "Int8Settings",
    "Latency",
    "Limits",
    "Lint",
    "LintReport",
    "Prepared",
    "Quantized",
    "TimeShares",
    "Tolerance",
    "certificate_paths",
    "compare_latency",
    "count_ops",
    "export_certified",
    "export_onnx",
    "fold_batchnorms",
    "fuse",
    "fuse_file",
    "input_shapes",
    "lint",
    "optimize",
    "prepare",
    "quantize",
    "random_inputs",
    "read_foreign",
    "time_shares",
    "to_onnx",
    "unfused_activations",
    "verify",
]
