"""What ``fusedet export --data`` adds: a certificate, and INT8."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusedet.cli.shared.arguments import add_renamed, check_counts, say_renamed
from fusedet.common.errors import InputError
from fusedet.configs.inputs import coco_files

if TYPE_CHECKING:  # torch: not before the command is known to be this one
    import numpy as np
    from numpy.typing import NDArray

    from fusedet.deploy.detector.detections import Predictor
    from fusedet.export import Certificate, ExportResult, Int8Settings
    from fusedet.export.proof.certify import Evaluator
    from fusedet.train.data.coco import CocoDataset

#: Limits of version 0.1: what they are called today, and how many of their units one of today's has.
_FORMER_LIMITS = {"standing": ("unfused", 1), "ap_difference": ("ap_tolerance", 100)}


def add_certificate_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that are about the certificate."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DATA",
        help="measure the files on images there, a folder with images/ and annotations/SPLIT.json, and write a "
        "certificate beside them",
    )
    parser.add_argument("--split", default="val", help="which annotations of the folder DATA (default: %(default)s)")
    parser.add_argument(
        "--compare-images", type=int, default=200, metavar="N", help="images to compare boxes on (default: %(default)s)"
    )
    add_renamed(parser, "--pictures", "--compare-images", type=int)
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the certificate asks, for example ap_tolerance=0.002; repeatable",
    )
    parser.add_argument(
        "--half", action="store_true", help="also write NAME.half.onnx, weights of 16 bits, half the size; needs --data"
    )
    parser.add_argument(
        "--also",
        nargs="+",
        choices=("openvino", "openvino-bf16", "ncnn", "ncnn-f16"),
        default=[],
        metavar="RUNTIME",
        help="also write forms for other runtimes, openvino (NAME.xml) and ncnn (NAME.ncnn.param); openvino-bf16 and "
        "ncnn-f16 compute in 16 bits where the processor can; needs --data",
    )
    _add_int8_arguments(parser)


def _add_int8_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--int8", action="store_true", help="also write NAME.int8.onnx, a third of the size; needs --data"
    )
    parser.add_argument(
        "--int8-ap-loss",
        type=float,
        default=0.01,
        metavar="AP",
        help="AP50-95 that it may lose (default: %(default)s)",
    )
    add_renamed(parser, "--int8-budget", "--int8-ap-loss", type=_hundredths)
    parser.add_argument(
        "--int8-images",
        type=int,
        default=100,
        metavar="N",
        help="images to measure ranges on (default: %(default)s)",
    )
    add_renamed(parser, "--int8-pictures", "--int8-images", type=int)
    parser.add_argument(
        "--int8-method",
        default="minmax",
        choices=("minmax", "entropy", "percentile"),
        help="what becomes of rare values: minmax keeps them all (default: %(default)s)",
    )
    parser.add_argument("--int8-seed", type=int, default=0, metavar="N", help="of the choice of these images")
    parser.add_argument("--int8-per-tensor", action="store_true", help="one scale a layer, not one an output channel")
    parser.add_argument(
        "--int8-7-bits", action="store_true", help="weights of 7 bits, for x86 processors without VNNI (before 2019)"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="images to measure ranges on (default: those of annotations/train.json in DATA)",
    )


def check_certificate_arguments(args: argparse.Namespace) -> None:
    """Raises InputError where arguments do not go together, which argparse cannot tell."""
    if args.data is None and args.limit:
        raise InputError("--limit is what a certificate asks: it needs --data")
    for option in ("half", "int8", "also"):
        if args.data is None and getattr(args, option):
            raise InputError(f"--{option} is measured on images: it needs --data")
    if args.data is not None and args.layout != "fusedet":
        raise InputError(f"--data asks for a certificate, which files of --layout {args.layout} cannot carry")
    check_counts(args, "compare_images")


def export_certified_by(
    args: argparse.Namespace, model: Path, out: Path | None, settings: dict[str, Any]
) -> "tuple[ExportResult, Certificate]":
    """Exports as ``--data`` and the arguments with it say; ``settings`` are further ones of ``export_onnx``."""
    annotations, images = coco_files(args.data, args.split)
    wanted = dict(_pair(text) for text in args.limit)
    from fusedet.export import Limits, export_certified
    from fusedet.model.checkpoint import load_detector
    from fusedet.train.data.coco import load_coco
    from fusedet.train.evaluation.by_name import refuse_unknown

    limits, int8 = Limits().changed(wanted), _int8_settings(args)
    dataset = load_coco(annotations, images)
    names = load_detector(model)[1]["names"]
    if not set(names) < set(dataset.names):  # of data with more classes the others are left out
        refuse_unknown(names, dataset)
    return export_certified(
        model,
        out,
        real_images=_some_images(dataset, args.compare_images),
        evaluate=_evaluator(dataset),
        limits=limits,
        half=args.half,
        int8=int8,
        calibration=_calibration(args) if int8 is not None else None,
        also=tuple(dict.fromkeys(args.also)),
        **settings,
    )


def _evaluator(dataset: "CocoDataset") -> "Evaluator":
    """Evaluates on a data set, as ``fusedet eval`` does."""
    from fusedet.train.evaluation.by_name import known_to
    from fusedet.train.evaluation.evaluate import find_objects
    from fusedet.train.evaluation.metrics import evaluate_detections
    from fusedet.train.evaluation.operating_point import operating_point

    def evaluate(predictor: "Predictor", threshold: float | None = None) -> dict[str, Any]:
        known = known_to(predictor, dataset)
        found = find_objects(predictor, known)
        figures = {
            **evaluate_detections(known, found).summary(),
            "operating_point": operating_point(known, found).as_dict(),
        }
        if threshold is not None:
            figures["at_training_threshold"] = operating_point(known, found, threshold).as_dict()
        return figures

    return evaluate


def say_what_was_certified(result: "ExportResult", certificate: "Certificate") -> None:
    """Prints what was asked and found."""
    from fusedet.export import certificate_paths

    for check in certificate.checks:
        print(f"{check.what}: {check.found} (wanted {check.wanted})")
    if "int8" in certificate.facts:
        _say_what_became_of_int8(certificate.facts)
    print(f"certificate: {certificate_paths(result.plain)[1]}")


def _int8_settings(args: argparse.Namespace) -> "Int8Settings | None":
    if not args.int8:
        return None
    from fusedet.export import Int8Settings

    return Int8Settings(
        images=args.int8_images,
        method=args.int8_method,
        per_channel=not args.int8_per_tensor,
        reduce_range=args.int8_7_bits,
        seed=args.int8_seed,
        ap_loss=args.int8_ap_loss,
    )


def _calibration(args: argparse.Namespace) -> "dict[str, NDArray[np.uint8]]":
    """Images of the training: those that evaluate a file must not have shaped it."""
    from fusedet.deploy.bench.images import load_images
    from fusedet.train.data.coco import load_coco

    if args.calibration is not None:
        return load_images(args.calibration, args.int8_images)
    if not args.data.is_dir() or args.split == "train":
        raise InputError("--int8 needs images that are not of the validation set: --calibration DIR")
    annotations, images = coco_files(args.data, "train")
    return _some_images(load_coco(annotations, images), args.int8_images)


def _some_images(dataset: "CocoDataset", count: int) -> "dict[str, NDArray[np.uint8]]":
    """``count`` of the set's images, from all over it."""
    from fusedet.train.data.image_cache import load_image

    samples = dataset.samples[:: max(1, len(dataset.samples) // count)][:count]
    return {sample.path.name: load_image(sample) for sample in samples}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--limit {text}: expected NAME=VALUE")
    if name in _FORMER_LIMITS:
        former, (name, units) = name, _FORMER_LIMITS[name]
        if units != 1:
            with suppress(ValueError):  # a text that is no number is told of later
                value = f"{float(value) / units:g}"
        say_renamed(f"--limit {former}", f"--limit {name}={value}")
    return name, value


def _hundredths(text: str) -> float:
    return float(text) / 100


def _say_what_became_of_int8(facts: dict[str, Any]) -> None:
    files, int8, times = facts["files"], facts["int8"], facts["latency_ms"]
    ratio = times["int8"]["min"] / times["fused"]["min"]
    print(
        f"{files['int8']['name']}  {files['int8']['bytes'] / 1e6:.2f} MB  {int8['quantised']} convolutions on bytes, "
        f"{len(int8['in_float'])} in float; {ratio:.2f} of the fused file's time here"
    )
