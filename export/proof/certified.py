"""The export that has to prove itself: files, self-test and certificate, or the certificate of a failure alone."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from fusedet.common.atomic import naming, write_text
from fusedet.configs.inputs import model_file
from fusedet.configs.starter import starter_checkpoint
from fusedet.deploy.detector.detector import Detector
from fusedet.export.errors import ExportError
from fusedet.export.graph.half import halve_weights
from fusedet.export.graph.quantize import Accuracy, Int8Settings, quantize
from fusedet.export.other_runtimes import OTHER_RUNTIMES, OtherRuntime
from fusedet.export.pipeline import ExportOptions, ExportResult, export_onnx, output_paths, refuse_to_overwrite
from fusedet.export.proof.certificate import Certificate, Limits
from fusedet.export.proof.certify import AP_SETTINGS, Evaluator, certify
from fusedet.export.proof.images import Images
from fusedet.export.proof.page import certificate_page
from fusedet.export.proof.self_test import choose_self_test, embed_self_test
from fusedet.model import DetectorNet, load_detector


def certificate_paths(plain: Path, *, passed: bool = True) -> tuple[Path, Path]:
    """Where the certificate of a plain file stands, as JSON and as a page.

    That of files which were not kept has another name: beside it may stand older ones, which have their own.
    """
    kind = "certificate" if passed else "rejected"
    return plain.with_suffix(f".{kind}.json"), plain.with_suffix(f".{kind}.html")


def export_certified(
    model: str | Path,
    out: str | Path | None = None,
    *,
    real_images: Images,
    evaluate: Evaluator | None = None,
    limits: Limits | None = None,
    half: bool = False,
    int8: Int8Settings | None = None,
    calibration: Images | None = None,
    also: Sequence[str] = (),
    overwrite: bool = False,
    **settings: Any,
) -> tuple[ExportResult, Certificate]:
    """Exports a checkpoint, measures what was exported, and keeps it only if it holds what ``limits`` ask.

    Beside the files stand ``NAME.certificate.json`` and ``NAME.certificate.html``. Where the files are not kept, what
    was measured of them stands in ``NAME.rejected.json`` and ``NAME.rejected.html``.

    Args:
        model: a checkpoint, or a run folder with ``best.pt`` in it.
        out: see :func:`fusedet.export.export_onnx`, of which ``settings`` are further arguments.
        real_images: of the validation set, on which boxes are compared, like those of the training.
        evaluate: works out AP; left out, the certificate says nothing of it.
        limits: what is asked; left out, the defaults.
        half: also write ``NAME.half.onnx``, the fused file with weights of 16 bits.
        int8: also write ``NAME.int8.onnx``, as these settings say.
        calibration: images of the training, on which INT8's ranges are measured; left out, ``real_images``.
        also: forms for other runtimes, names in :data:`fusedet.export.other_runtimes.OTHER_RUNTIMES`.
        overwrite: replace files that are there.

    Raises:
        ExportError: the files do not hold what they should; none of them was kept.
        InputError: an argument or the checkpoint cannot be used, or a file is already there.
    """
    checkpoint = model_file(Path(model), starter_checkpoint)
    plain, fused = output_paths(checkpoint, out)
    places = {"plain": plain, "fused": fused}
    places |= {form: plain.with_suffix(f".{form}.onnx") for form, wanted in (("half", half), ("int8", int8)) if wanted}
    onnx_forms = tuple(places)
    for name in also:
        OTHER_RUNTIMES[name].refuse(name, settings.get("input_format", ExportOptions.input_format))
        places[name] = plain.with_suffix(OTHER_RUNTIMES[name].suffix)
    files = [file for form, place in places.items() for file in _files(form, place)]
    refuse_to_overwrite([*files, *certificate_paths(plain)], overwrite)
    net, _ = load_detector(checkpoint)
    plain.parent.mkdir(parents=True, exist_ok=True)
    with naming(plain), tempfile.TemporaryDirectory(prefix=".export-", dir=plain.parent) as folder:
        drafts = {form: Path(folder) / place.name for form, place in places.items()}
        draft = export_onnx(checkpoint, drafts["plain"], **settings)
        quantized = None
        if int8 is not None:
            quantized = quantize(draft.plain, drafts["int8"], calibration or real_images, int8, _accuracy(evaluate))
        if half:
            drafts["half"].write_bytes(halve_weights(onnx.load(draft.fused)).SerializeToString(deterministic=True))
        for form in onnx_forms:  # each with the boxes that it finds itself: INT8 finds others
            if (test := choose_self_test(drafts[form], real_images)) is not None:
                embed_self_test(test, [drafts[form]])
        for name in also:
            _write_for(OTHER_RUNTIMES[name], net, draft, drafts[name], real_images)
        forms = {form: file for form, file in drafts.items() if form not in ("plain", "fused")}
        certificate = certify(
            draft, net, real_images, forms=forms, quantized=quantized, evaluate=evaluate, limits=limits
        )
        _write(certificate, plain)
        for form, place in places.items():
            for made, final in zip(_files(form, drafts[form]), _files(form, place), strict=True):
                os.replace(made, final)
    return replace(draft, plain=plain, fused=fused), certificate


def _files(form: str, place: Path) -> Sequence[Path]:
    """All files of a form whose main one is at ``place``."""
    return OTHER_RUNTIMES[form].files(place) if form in OTHER_RUNTIMES else [place]


def _write_for(runtime: OtherRuntime, net: DetectorNet, draft: ExportResult, out: Path, images: Images) -> None:
    """Writes a form for another runtime, with the boxes that it finds itself as its self-test."""
    runtime.write(net, draft, out, {})
    test = choose_self_test(out, images)
    if test is not None:
        runtime.write(net, draft, out, test.to_metadata())


def _write(certificate: Certificate, plain: Path) -> None:
    """Writes the certificate of a plain file; raises ExportError where it is one of a failure."""
    proof = certificate_paths(plain, passed=certificate.passed)
    for path, text in zip(proof, (certificate.to_json(), certificate_page(certificate)), strict=True):
        write_text(path, text)
    if not certificate.passed:
        raise ExportError(f"{certificate.broken()}; see {proof[1]}")


def _accuracy(evaluate: Evaluator | None) -> Accuracy | None:
    return None if evaluate is None else lambda path: evaluate(Detector(path, one_label=False, **AP_SETTINGS))["ap"]
