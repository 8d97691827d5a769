"""The settings of a training: the sections of a config file."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from fusedet.common.arguments import DUPLICATE_IOU
from fusedet.common.errors import InputError
from fusedet.configs.layouts import SetFiles, find_sets, only_file
from fusedet.configs.reader.loader import load_config
from fusedet.configs.reader.schema_keys import spelled_out
from fusedet.configs.reader.strict import FormerKey, StrictModel
from fusedet.configs.reader.validate import validate
from fusedet.model.config import ModelConfig

#: ``train.init`` that means the starter weights of the config's own preset.
STARTER = Path("starter")
#: Parts of the network that a training can leave as they are.
FrozenPart = Literal["backbone", "neck"]
#: Probabilities, and parts of something.
Part = Annotated[float, Field(ge=0, le=1)]
#: What figures can be sent to.
LoggerName = Literal["tensorboard", "mlflow", "wandb"]


def _as_list(value: object) -> object:
    """``backbone`` means ``[backbone]``."""
    return [value] if isinstance(value, str) else value


def _number_or_auto(value: object) -> object:
    """One message instead of one for each kind that it could have been."""
    if value is None or value == "auto" or (type(value) is int and value >= 1):
        return value
    raise ValueError(f"must be a whole number from 1 on, or auto, but got {value!r}")


class ExtraSet(StrictModel):
    """More images to learn from; their classes go by name and must be among those of the training set."""

    annotations: Path = Field(description="COCO file")
    images: Path = Field(description="folder of its images")


class DataConfig(StrictModel):
    """Where the images and the COCO annotations are.

    ``root`` stands for ``root/images`` and ``root/annotations/{train,val}.json``, or for what CVAT, Roboflow or Label
    Studio export as COCO; each of the four paths can be given by itself instead. Relative paths are relative to the
    folder in which the command runs.
    """

    root: Path | None = Field(None, description="folder with images/ and annotations/{train,val}.json")
    train_images: Path | None = Field(None, description="folder, instead of root/images")
    train_annotations: Path | None = Field(None, description="COCO file, instead of root/annotations/train.json")
    val_images: Path | None = Field(None, description="folder, instead of root/images")
    val_annotations: Path | None = Field(None, description="COCO file, instead of root/annotations/val.json")
    extra_train: list[ExtraSet] = Field([], description="more training sets, such as one annotated by a detector")
    classes: list[str] = Field(
        [], description="names of the classes to learn; annotations of others are left out. Empty: all"
    )
    min_score: Part = Field(0.0, description="annotations with a score below this are ignored")
    ignore_score: Part = Field(
        0.0,
        description="annotations with a score from this to min_score are regions to ignore; below, they are background",
    )
    balance: Part = Field(
        0.0,
        description="classes in a smaller part of the images than this are rare, and images with them are used "
        "more often (repeat factors of LVIS: Gupta et al., 2019); 0: all images equally often",
    )
    cache: Literal["auto", "memory", "none"] = Field(
        "auto",
        description="keep decoded images in memory at training size; auto: where they fit in half of what is free",
    )
    workers: int = Field(
        2, ge=0, le=1024, description="processes that prepare batches; 0 prepares them in the training process"
    )

    @model_validator(mode="after")
    def _root_fills_what_is_missing(self) -> "DataConfig":
        if self.root is not None:
            for split in ("train", "val"):
                self._fill(split, self.root)
        return self

    def _fill(self, split: str, root: Path) -> None:
        keys = f"{split}_annotations", f"{split}_images"
        annotations, images = (getattr(self, key) for key in keys)
        if annotations is None:
            sets = find_sets(root)
            shared = only_file(sets)
            missing = SetFiles(root / "annotations" / f"{split}.json", shared.images if shared else root / "images")
            annotations, usual = sets.get(split, missing)
        else:
            usual = root / "images"
        for key, path in zip(keys, (annotations, images or usual), strict=True):
            setattr(self, key, path)

    @model_validator(mode="after")
    def _ignored_scores_are_the_lower_ones(self) -> "DataConfig":
        if self.ignore_score > self.min_score:
            raise ValueError(f"ignore_score is {self.ignore_score}, but must not be above min_score, {self.min_score}")
        return self


class AugmentConfig(StrictModel):
    """How training images are varied. Probabilities and fractions are in 0..1."""

    mosaic: Part = Field(1.0, description="probability of pasting four images into one")
    mixup: Part = Field(0.0, description="probability of blending two images")
    flip: Part = Field(0.5, description="probability of a left-right mirror image")
    flip_vertical: Part = Field(0.0, description="probability of an upside-down mirror image")
    hue: Part = Field(0.015, description="largest shift of the hue, as a fraction of the circle")
    saturation: Part = Field(0.5, description="largest relative change of the saturation")
    value: Part = Field(0.4, description="largest relative change of the brightness")
    rotate: float = Field(0.0, ge=0, le=180, description="largest rotation in degrees")
    translate: Part = Field(0.1, description="largest shift, as a fraction of the image")
    scale: float = Field(0.5, ge=0, lt=1, description="zoom is drawn from 1 - scale to 1 + scale")
    shear: float = Field(0.0, ge=0, le=45, description="largest shear in degrees")
    close_epochs: int = Field(10, ge=0, description="last epochs without mosaic and mixup")
    multi_scale: float = Field(0.0, ge=0, lt=1, description="input side is drawn from 1 - x to 1 + x of input_size")
    grow_from: float = Field(
        1.0,
        gt=0,
        le=1,
        description="part of input_size that images have at first; they grow to all of it over three quarters of the "
        "training, which saves time (EfficientNetV2: Tan and Le, 2021, section 4)",
    )


class LossConfig(StrictModel):
    """Weights of the losses and settings of the task-aligned assignment."""

    box: float = Field(7.5, ge=0, description="weight of the IoU loss")
    cls: float = Field(0.5, ge=0, description="weight of the class loss")
    l1: float = Field(3.0, ge=0, description="weight of the L1 loss of the box coordinates")
    iou: Literal["iou", "giou", "diou", "ciou"] = Field("ciou", description="kind of the IoU loss")
    alpha: float = Field(0.5, ge=0, description="power of the class score in the alignment")
    beta: float = Field(6.0, ge=0, description="power of the IoU in the alignment")
    one_to_one_alpha: float = Field(1.0, ge=0, description="power of the score in the one-to-one branch's alignment")
    one_to_one_beta: float = Field(
        0.5,
        ge=0,
        description="power of the IoU in the one-to-one branch's alignment: low, because of boxes that overlap about "
        "equally well the one with the higher score should win, or the choice would depend on noise",
    )
    topk: int = Field(5, ge=1, le=1000, description="anchor points for each object in the one-to-many branch")
    one_to_one: float = Field(0.3, ge=0, description="weight of the one-to-one branch beside the one-to-many branch")
    detach_one_to_one: bool = Field(
        True, description="the one-to-one branch trains its own layers only, not the features that both branches read"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="this part of an object's class target is spread over all classes"
    )
    soft_labels: bool = Field(
        False,
        description="the quality to be learned is multiplied by an annotation's score, where it has one",
    )


class OptimConfig(StrictModel):
    """Optimiser and its schedule."""

    name: Literal["muon", "adamw", "sgd"] = Field("muon", description="the optimiser")
    lr: float | None = Field(
        None,
        gt=0,
        description="peak learning rate; left out, 0.02 for muon (0.006 from 1,000 images on), 0.004 for adamw, "
        "0.01 for sgd, and a tenth of that with train.init",
    )
    final_lr: float = Field(0.02, gt=0, le=1, description="last learning rate, as a part of the peak")
    momentum: float = Field(
        0.9, ge=0, lt=1, description="SGD's momentum; AdamW's beta1, also for what Muon leaves to it"
    )
    weight_decay: float | None = Field(
        None,
        ge=0,
        description="times the learning rate; left out, 0.2 for muon (0.05 from 1,000 images on), 0.05 for adamw, "
        "0.0005 for sgd",
    )
    warmup_epochs: float = Field(3.0, ge=0, description="epochs in which the learning rate rises to its peak")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="how the learning rate falls after that"
    )
    clip_norm: float = Field(
        10.0, ge=0, allow_inf_nan=True, description="gradients are scaled to this norm at most; 0: not clipped"
    )


class RunConfig(StrictModel):
    """How long to train, on what, and where the results go."""

    epochs: int = Field(100, ge=1, description="how often every training image is seen")
    batch: Annotated[Annotated[int, Field(ge=1)] | Literal["auto"] | None, BeforeValidator(_number_or_auto)] = Field(
        None,
        description="images in one forward pass, of all devices together; left out, 8 for fewer than 1000 images to "
        "learn from, which need the steps, and 16 from there on; auto: as many as a GPU's memory holds",
    )
    accumulate: int = Field(1, ge=1, description="forward passes for each optimiser step")
    seed: int = Field(0, ge=0, description="seed of all random numbers")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto: cuda where torch finds it, else cpu"
    )
    devices: int = Field(1, ge=1, description="processes on each machine, each on a device of its own; on CPUs, too")
    nodes: int = Field(1, ge=1, description="machines; torchrun starts a training on several of them")
    timeout_minutes: float = Field(
        30.0,
        gt=0,
        description="how long processes wait for one that does not answer; an evaluation must take less",
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        "auto", description="auto: bf16 or fp16 on a GPU, full precision elsewhere"
    )
    channels_last: bool = Field(True, description="memory layout in which most convolutions train faster")
    ema_decay: float = Field(0.9999, ge=0, lt=1, description="largest decay of the averaged weights at a step")
    ema_memory: float = Field(
        0.02, gt=0, le=1, description="longest memory of the averaged weights, as a part of the training"
    )
    diagnostics: bool = Field(False, description="log gradient norms and dead units, also layer by layer")
    save_minutes: float = Field(
        10.0, ge=0, description="minutes after which last.pt is also written within an epoch; 0: never"
    )
    loggers: Annotated[
        list[LoggerName], BeforeValidator(_as_list, json_schema_input_type=LoggerName | list[LoggerName])
    ] = Field(
        ["tensorboard"],
        description="where figures go beside metrics.csv; the training goes on where one cannot be reached",
    )
    report: bool = Field(True, description="write report.html when the training is done")
    patience: int = Field(0, ge=0, description="epochs without a better AP after which the training stops; 0: never")
    init: Path | None = Field(
        None,
        description="checkpoint to start from, or starter: the weights that ship for this preset; classes go by name, "
        "layers of another shape start anew",
    )
    freeze: Annotated[
        list[FrozenPart], BeforeValidator(_as_list, json_schema_input_type=FrozenPart | list[FrozenPart])
    ] = Field([], description="parts that keep the weights and BatchNorm statistics of init: backbone, neck or both")
    out: Path | None = Field(None, description="run folder; left out, runs/NAME-1, -2, ...")

    @model_validator(mode="after")
    def _only_learned_weights_are_frozen(self) -> "RunConfig":
        if self.freeze and self.init is None:
            raise ValueError("freeze would keep random weights: it needs init, a checkpoint to take them from")
        return self


class EvalConfig(StrictModel):
    """How the validation set is evaluated."""

    every: int = Field(1, ge=1, description="epochs between two evaluations; the last epoch is always evaluated")
    batch: int = Field(16, ge=1, le=65536, description="images in one forward pass")
    score_threshold: float = Field(0.001, ge=0, lt=1, description="score threshold: detections below it are left out")
    max_detections: int = Field(300, ge=1, description="most detections of an image")
    nms: bool = Field(
        True, description="evaluate the output with NMS, of the one-to-many branch; false: the NMS-free output"
    )
    nms_iou: float = Field(
        0.6, gt=0, lt=1, description="NMS removes a box that overlaps one with a higher score by more"
    )
    duplicate_iou: Part | None = Field(
        DUPLICATE_IOU,
        description="without NMS, the lower-scored of two boxes of a class that overlap by more is removed as a "
        "duplicate detection; null: both are kept",
    )


class TrainConfig(StrictModel):
    """A whole config file. ``model`` and ``data`` must come from the file, its base or the command line."""

    former_keys = {  # noqa: RUF012 - a ClassVar of StrictModel
        "train.guide": FormerKey(),
        "loss.guide": FormerKey(unused=1.0),
    }

    model: ModelConfig
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    optim: OptimConfig = OptimConfig()
    train: RunConfig = RunConfig()
    eval: EvalConfig = EvalConfig()


def load_train_config(source: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Reads and checks a config.

    Args:
        source: a preset's name or a YAML file.
        overrides: ``key.sub=value``, as on the command line; they win over the file. A last part that one key alone
            has will do, and so do names of other programs: ``epochs=5``, ``imgsz=256``.

    Raises:
        InputError: names the file and line, or the command line, the key, what was expected and what came.
    """
    tree = load_config(source, spelled_out(overrides, TrainConfig))
    if "names" in tree.data and isinstance(tree.data.get("train"), str):
        folder = shlex.quote(str(Path(source).parent))
        raise InputError(
            f"{source}: this is the data.yaml of a YOLO set, not a config; fusedet data convert {folder} my_data "
            "--from yolo --to coco makes a set of it, and fusedet train nano data=my_data trains on that"
        )
    return validate(tree, TrainConfig)
