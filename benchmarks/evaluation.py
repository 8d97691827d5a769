"""What the best weights of a training find on the validation images, by the output without NMS and by that with it."""

from benchmarks.command import write_text
from benchmarks.study import Outcome
from fusedet.configs.reader.strict import StrictModel
from fusedet.train.data.coco import load_coco
from fusedet.train.evaluation.evaluate import find_objects, load_predictor
from fusedet.train.evaluation.metrics import evaluate_detections
from fusedet.train.evaluation.operating_point import operating_point


class OutputAccuracy(StrictModel):
    """Accuracy of one output of a network, in 0..1.

    ``duplicates`` is the share of the detections at the score threshold of the best F1 that show an object for a second
    time.
    """

    ap: float
    ap50: float
    duplicates: float | None


class Evaluation(StrictModel):
    """Both outputs of one network: the one-to-one branch, and the one-to-many branch with NMS."""

    nms_free: OutputAccuracy
    nms: OutputAccuracy


def evaluate_best(outcome: Outcome) -> Evaluation:
    """Evaluates the best weights of a training, or reads what has been evaluated before from its folder."""
    record = outcome.piece.folder / "evaluation.json"
    if record.exists():
        return Evaluation.model_validate_json(record.read_text())
    evaluation = Evaluation(nms_free=_evaluate(outcome, nms=False), nms=_evaluate(outcome, nms=True))
    write_text(record, evaluation.model_dump_json(indent=2) + "\n")
    return evaluation


def _evaluate(outcome: Outcome, nms: bool) -> OutputAccuracy:
    config = outcome.piece.config
    assert config.data.val_annotations is not None
    assert config.data.val_images is not None
    dataset = load_coco(config.data.val_annotations, config.data.val_images)
    predictor = load_predictor(outcome.piece.run.best, config.eval.model_copy(update={"nms": nms}))
    found = find_objects(predictor, dataset, batch=config.eval.batch)
    metrics = evaluate_detections(dataset, found)
    duplicates = operating_point(dataset, found).as_dict()["duplicate_share"]
    return OutputAccuracy(ap=metrics.ap, ap50=metrics.ap50, duplicates=duplicates)
