"""What a guide shows, and how far the network is from it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from fusedet.configs import InputError
from fusedet.model import ModelConfig, build_detector
from fusedet.model.decode import anchor_points
from fusedet.model.detector import STRIDES, DetectorNet, Predictions
from fusedet.model.head import BranchOutput
from fusedet.train import TrainConfig, resume, train
from fusedet.train.config import LossConfig
from fusedet.train.data.dataset import PADDING
from fusedet.train.guide import Guidance, Guide, NetworkTeacher, guided_box_loss, open_guide, with_guidance
from fusedet.train.labelling.teachers import DenseMap
from fusedet.train.labelling.teachers.weights import open_folded
from fusedet.train.run_folder import RunFolder
from fusedet.train.targets.losses import detection_loss
from tests.deploy.foreign_files import MakeFile, detr, picodet
from tests.train.trainings import assert_equal, changed, stop_at, weights

NAMES = ["cat", "dog", "fox"]
PICTURES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8))


def network(seed: int) -> DetectorNet:
    torch.manual_seed(seed)
    net = build_detector(
        ModelConfig.model_validate({"input_size": (64, 96), "classes": 3, "stages": [{"channels": 16}] * 4})
    )
    for predictor in net.head.class_predictors:
        torch.nn.init.normal_(predictor.weight, 0, 1)
        torch.nn.init.zeros_(predictor.bias)  # sure enough, here and there, that boxes count
    for predictor in net.head.box_predictors:
        torch.nn.init.zeros_(predictor.weight)
        torch.nn.init.uniform_(predictor.bias, 1, 3)
    return net.eval()


def test_the_higher_of_labels_and_guide_is_learned() -> None:
    guidance = Guidance(torch.tensor([[[0.8, 0.1, 0.0]]]), torch.zeros(1, 3, 4))
    target, total = with_guidance(torch.tensor([[[0.5, 0.0, 0.9]]]), guidance, 1.0)
    assert target.tolist() == [[pytest.approx([0.8, 0.1, 0.9])]]
    assert total == pytest.approx(1.7)  # where there is next to nothing, nothing is counted
    target, _ = with_guidance(torch.tensor([[[0.5, 0.0, 0.9]]]), guidance, 0.5)
    assert target.tolist() == [[pytest.approx([0.5, 0.05, 0.9])]]


def test_a_guides_lowest_scores_count_for_nothing() -> None:
    guidance = Guidance(torch.tensor([[[0.04, 0.05, 0.3]]]), torch.zeros(1, 3, 4))

    target, total = with_guidance(torch.zeros(1, 1, 3), guidance, 1.0)

    assert target.tolist() == [[[0.0, pytest.approx(0.05), pytest.approx(0.3)]]]
    assert total == 1.0, "the sum, 0.3, but at least 1"


def test_boxes_count_by_the_guides_score_where_it_is_sure() -> None:
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]]])
    guidance = Guidance(torch.tensor([[[0.6, 0.3, 0.1]]]), boxes)
    assert guided_box_loss(boxes, guidance, "iou") == pytest.approx(0, abs=1e-6)
    half = boxes.clone()
    half[0, 0, 2] = half[0, 2, 2] = 5  # IoU 0.5 at the first point; at the last one it does not matter
    assert guided_box_loss(half, guidance, "iou") == pytest.approx(0.6 * 0.5 / 1.0)


def test_who_agrees_with_the_guide_is_left_alone() -> None:
    net, guide = network(1), Guide(NetworkTeacher(network(0), NAMES), NAMES)
    points, strides = anchor_points((64, 96), STRIDES)
    nothing = torch.zeros(2, 1, 4), torch.full((2, 1), PADDING), LossConfig(), None
    guidance = guide.look(PICTURES, (64, 96))

    def gradient(output: BranchOutput) -> float:
        logits = output.logits.detach().requires_grad_()
        predictions = Predictions(BranchOutput(logits, output.distances), output)
        detection_loss(predictions, points, strides, *nothing, guidance)[0].backward()
        assert logits.grad is not None
        return float(logits.grad[guidance.scores >= 0.05].abs().max())  # lower scores are noise, and count as none

    with torch.no_grad():
        pictures = PICTURES.permute(0, 3, 1, 2).float()
        same, other = network(0)(pictures).one_to_many, net(pictures).one_to_many
    assert gradient(same) < 1e-6 < 1e-3 < gradient(other)


def test_classes_go_by_name() -> None:
    net = network(0)
    straight = Guide(NetworkTeacher(net, NAMES), NAMES).look(PICTURES, (64, 96))
    other = Guide(NetworkTeacher(net, NAMES), ["fox", "owl", "cat"]).look(PICTURES, (64, 96))
    torch.testing.assert_close(other.scores[:, [2, 0]], straight.scores[:, [0, 2]])
    assert not other.scores[:, 1].any()
    with pytest.raises(InputError, match=r"train\.guide knows none of the classes owl; it knows cat, dog, fox"):
        Guide(NetworkTeacher(net, NAMES), ["owl"])


class Fixed:
    """One object in the upper left quarter, seen at each cell there; the map's numbers say which map it is."""

    names = ("cat",)

    def dense(self, images_bgr: np.ndarray) -> list[DenseMap]:
        maps = []
        for side in (16, 8, 4):
            scores = torch.zeros(len(images_bgr), 1, side, side)
            scores[:, :, : side // 2, : side // 2] = side / 100
            boxes = torch.tensor([0, 0, 0.5, 0.5]).reshape(1, 4, 1, 1).expand(len(images_bgr), 4, side, side)
            maps.append(DenseMap(scores, boxes))
        return maps


@pytest.mark.parametrize(("side", "levels"), [(128, (16, 8, 4)), (64, (8, 4, 4)), (96, (16, 8, 4))])
def test_each_map_takes_the_guides_map_of_the_nearest_size(side: int, levels: tuple[int, ...]) -> None:
    guidance = Guide(Fixed(), ["cat"]).look(torch.zeros(1, 128, 128, 3, dtype=torch.uint8), (side, side))
    points, strides = anchor_points((side, side), STRIDES)
    for stride, level in zip(STRIDES, levels, strict=True):
        # The corner cell is in the quarter, the opposite one is not, whatever the size of the map.
        scores = guidance.scores[0, 0, strides == stride]
        assert scores[0] == pytest.approx(level / 100)
        assert scores[-1] == 0
    assert guidance.boxes[0, 0].tolist() == [0, 0, side / 2, side / 2]
    assert guidance.boxes.shape == (1, len(points), 4)


def test_picodet_guides_and_labels_alike(make_file: MakeFile) -> None:
    guide = open_guide(make_file(picodet(), 64), ["cat", "dog"])
    guidance = guide.look(torch.zeros(1, 64, 64, 3, dtype=torch.uint8), (64, 64))
    place = 64 + 2 * 4 + 1  # stride 16, cell (1, 2)
    assert guidance.scores.nonzero().tolist() == [[0, 1, place]]
    assert guidance.scores[0, 1, place] == pytest.approx(0.9)
    assert guidance.boxes[0, place].tolist() == pytest.approx([8, 32, 40, 56], abs=1e-3)


def test_a_file_that_cannot_guide_is_said(make_file: MakeFile, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can label pictures, but not guide"):
        open_guide(make_file(detr(), 64), ["dog"])
    with pytest.raises(InputError, match=r"none\.onnx: no such model file"):
        open_guide(tmp_path / "none.onnx", ["dog"])


def test_a_guided_training_is_another_one_and_resumes(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = train(changed(tiny, train={"out": tmp_path / "teacher", "epochs": 2})).run_dir / "best.pt"
    guided = changed(tiny, train={"guide": teacher, "out": tmp_path / "whole"})
    whole = RunFolder(train(guided).run_dir)
    alone = RunFolder(train(changed(tiny, train={"out": tmp_path / "alone"})).run_dir)
    same = (torch.equal(a, b) for a, b in zip(weights(whole.last).values(), weights(alone.last).values(), strict=True))
    assert not all(same)
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        assert not train(changed(guided, train={"out": tmp_path / "parts"})).finished
    assert resume(tmp_path / "parts").finished
    assert_equal(weights(tmp_path / "parts" / "last.pt"), weights(whole.last))


def test_weights_among_the_inputs_are_folded(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.full(2, 3, np.float32), "weight")
    x, w, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "weight", "y"))
    graph = helper.make_graph([helper.make_node("Mul", ["x", "weight"], ["y"])], "old", [x, w], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "old.onnx")
    session = open_folded(tmp_path / "old.onnx", threads=1)
    assert [tensor.name for tensor in session.get_inputs()] == ["x"]
    assert session.run(None, {"x": np.ones(2, np.float32)})[0].tolist() == [3, 3]
