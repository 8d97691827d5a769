from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers import detector as peer_detector
from benchmarks.peers.detector import PeerDetector
from fusedet.deploy import letterbox

NAMES = {0: "cat", 1: "dog's"}


def write_network(path: Path, output: NDArray[np.float32], side: int = 32) -> Path:
    """A network that says ``output`` of an image whose blue is 1 everywhere and whose red is 0, and else NaN."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])
    said = helper.make_tensor_value_info("output0", TensorProto.FLOAT, list(output.shape))
    constants = {"said": output, "channels": np.array([0, 2]), "wanted": np.array([0, 1], np.float32)}
    constants |= {"axes": np.array([0, 2, 3]), "nan": np.array(np.nan, np.float32)}
    nodes = [
        helper.make_node("ReduceMean", ["images", "axes"], ["means"], keepdims=0),
        helper.make_node("Gather", ["means", "channels"], ["red_and_blue"]),
        helper.make_node("Sub", ["red_and_blue", "wanted"], ["off"]),
        helper.make_node("Abs", ["off"], ["distance"]),
        helper.make_node("ReduceMax", ["distance"], ["worst"], keepdims=0),
        helper.make_node("Constant", [], ["little"], value=numpy_helper.from_array(np.array(1e-3, np.float32))),
        helper.make_node("Less", ["worst", "little"], ["right"]),
        helper.make_node("Where", ["right", "said", "nan"], ["output0"]),
    ]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "peer", [images], [said], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"names": str(NAMES), "task": "detect"})
    onnx.save(model, path)
    return path


def blue(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), (255, 0, 0), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (17, 32), (31, 32), (32, 32), (33, 32), (64, 48), (480, 641)])
def test_the_letterbox_lies_where_the_runtimes_lies(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    canvas, place = peer_detector.letterbox(image, 32, 114)
    expected_canvas, expected = letterbox(image, (32, 32), 114)
    assert place == expected
    assert np.array_equal(canvas, expected_canvas)


def test_boxes_of_an_nms_free_file_come_back_in_image_pixels(tmp_path: Path) -> None:
    # 64 x 64 in 32 x 32: half the size, no bars. The two boxes overlap, and both stay.
    said = np.array([[[4, 4, 12, 12, 0.9, 1], [4, 4, 12, 13, 0.8, 1], [0, 0, 1, 1, 0.0001, 0]]], np.float32)
    detector = PeerDetector(write_network(tmp_path / "peer.onnx", said))
    (found,) = detector.batch([blue(64, 64)])
    assert detector.names == ("cat", "dog's")
    assert found.boxes_xyxy.tolist() == [[8, 8, 24, 24], [8, 8, 24, 26]]
    assert found.labels == ["dog's", "dog's"]


def test_nms_drops_the_weaker_of_one_class(tmp_path: Path) -> None:
    # Two points, the same box but for a pixel: IoU 0.9. Both are dogs; the first is a little of a cat too.
    said = np.array([[[8, 8], [8, 8.5], [8, 8], [10, 9], [0.3, 0.0], [0.6, 0.7]]], np.float32)
    (found,) = PeerDetector(write_network(tmp_path / "peer.onnx", said)).batch([blue(32, 32)])
    assert found.labels == ["dog's", "cat"]
    assert found.scores.tolist() == pytest.approx([0.7, 0.3])
    assert found.boxes_xyxy.tolist() == [[4, 4, 12, 13], [4, 3, 12, 13]]


def test_boxes_at_an_iou_of_seven_tenths_stay(tmp_path: Path) -> None:
    # 10 x 10 and 10 x 7 in it: IoU 0.7 exactly is kept, as Ultralytics does.
    said = np.array([[[10, 10], [10, 8.5], [10, 10], [10, 7], [0.9, 0.8], [0.0, 0.0]]], np.float32)
    (found,) = PeerDetector(write_network(tmp_path / "peer.onnx", said)).batch([blue(32, 32)])
    assert len(found) == 2
