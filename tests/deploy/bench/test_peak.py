import numpy as np
import onnx
import onnxruntime as ort

from fusedet.deploy.bench.peak import convolution_chain, measure_peak


def test_the_chain_is_a_valid_file_of_convolutions():
    model = onnx.load_from_string(convolution_chain(channels=20, side=130, layers=3))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv"] * 3
    assert onnx.numpy_helper.to_array(model.graph.initializer[0]).shape == (20, 20, 3, 3)


def test_the_chain_computes_neither_zeros_nor_overflows():
    session = ort.InferenceSession(convolution_chain(16, 8, 4), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"x0": np.ones((1, 16, 8, 8), np.float32)})
    assert output.shape == (1, 16, 8, 8)
    assert 1e-3 < np.abs(output).mean() < 1e3


def test_the_machine_reaches_something():
    assert measure_peak(1) > 0
