"""The quickest form of a bundle that its certificate vouches for."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.bench.contest import Samples
from fusedet.deploy.bench.forms import Form, quickest, read_forms
from fusedet.deploy.bench.tuned import Tuned
from fusedet.deploy.detector.bundle import MANIFEST


def taking(ms: float) -> Samples:
    return Samples(pre=[0.0], inference=[ms], post=[0.0], age=[ms], wall_s=1.0, cpu_s=1.0)


def chosen(times: dict[str, float], uncertified: tuple[str, ...] = ()) -> dict[Form, tuple[Tuned, Samples]]:
    return {
        Form(role, Path(f"best.zip/best.{role}"), role not in uncertified): (Tuned(1, False), taking(ms))
        for role, ms in times.items()
    }


@pytest.mark.parametrize(
    ("times", "uncertified", "wanted"),
    [
        ({"fused": 10, "ncnn": 5, "int8": 7}, (), "ncnn"),
        ({"fused": 10, "ncnn": 5, "int8": 7}, ("ncnn",), "int8"),
        ({"fused": 10, "ncnn": 9.8}, (), "fused"),  # 2 % is not worth another runtime
        ({"fused": 10, "ncnn": 5}, ("fused", "ncnn"), "fused"),  # a bundle without a certificate
    ],
)
def test_the_quickest_certified_form_is_kept(times: dict[str, float], uncertified: tuple[str, ...], wanted: str):
    tuned, reason = quickest(chosen(times, uncertified))
    assert tuned == Tuned(1, False, f"best.{wanted}")
    assert ("gains more" in reason) == (wanted == "fused")


def write_bundle(folder: Path, certificate: dict[str, Any] | None) -> Path:
    folder.mkdir()
    models = {"plain": "best.onnx", "fused": "best.fused.onnx", "ncnn": "best.ncnn.param", "ort": "best.ort"}
    for role, name in models.items():
        (folder / name).write_text(role)
    if certificate is not None:
        (folder / "best.certificate.json").write_text(json.dumps(certificate))
    files = {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in folder.iterdir()}
    (folder / MANIFEST).write_text(json.dumps({"format_version": 1, "models": models, "files": files}))
    return folder


def test_a_form_is_certified_where_the_certificate_is_about_this_very_file(tmp_path: Path) -> None:
    certificate = {
        "passed": True,
        "files": {
            "fused": {"sha256": hashlib.sha256(b"fused").hexdigest()},
            "ncnn": {"sha256": hashlib.sha256(b"of another export").hexdigest()},
        },
        "agreement": [{"between": ["plain", "fused"], "matched_share": 1.0}],
        "accuracy": {"fused": {"ap": 0.5}},
    }
    bundle = write_bundle(tmp_path / "best", certificate)
    forms = {form.role: form for form in read_forms(bundle)}
    assert list(forms) == ["fused", "plain", "ncnn"]
    assert forms["fused"] == Form("fused", bundle / "best.fused.onnx", True, 1.0, 0.5)
    assert not forms["ncnn"].certified
    assert not forms["plain"].certified


def test_without_a_certificate_nothing_is_certified(tmp_path: Path) -> None:
    assert not any(form.certified for form in read_forms(write_bundle(tmp_path / "best", None)))


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "best", {"passed": "yes"})
    with pytest.raises(InputError, match=r"best\.certificate\.json: damaged"):
        read_forms(bundle)
