"""A network of your own classes and widths, exported untrained, to see what it costs before any image is labelled.

python examples/custom_classes.py custom.onnx cat dog owl; then: fusedet bench custom.fused.onnx
"""

import sys

from fusedet.export import export_onnx
from fusedet.model import ModelConfig, build_detector, count_macs, count_parameters

out, *names = sys.argv[1:]
config = ModelConfig(
    classes=len(names),
    input_size=(192, 320),  # height, width: multiples of 32, here about that of a camera of 16:9
    stem_channels=16,  # channels are multiples of 16, which the processor's vector units are filled by
    stages=[
        {"channels": 16, "depth": 0},
        {"channels": 32, "depth": 1, "kernel": 3},
        {"channels": 64, "depth": 2, "kernel": 5},
        {"channels": 96, "depth": 2, "kernel": 5},
    ],
    neck={"channels": 48, "depth": 1, "kernel": 5},
    head={"channels": 32, "depth": 1, "kernel": 3},
)
network = build_detector(config)
print(f"{count_parameters(network):,} parameters, {count_macs(network, config.input_size) / 1e6:.0f} million MACs")
print(f"written: {export_onnx(network, out, names=names).fused}")  # the same `model:` in a YAML is what you train
