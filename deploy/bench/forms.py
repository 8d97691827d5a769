"""The forms of one network in a bundle, what its certificate says of each, and which one is quickest on a board."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fusedet.common.errors import InputError
from fusedet.common.plain_json import parse_json
from fusedet.deploy.bench.contest import Samples
from fusedet.deploy.bench.tune import WORTH
from fusedet.deploy.bench.tuned import Tuned
from fusedet.deploy.detector.bundle import Bundle, open_bundle

_CERTIFICATE = ".certificate.json"
#: What a bundle is opened with where nothing else is known.
_DEFAULT = "fused"
#: For builds of ONNX Runtime that hold some operators only; this one has a better file.
_LEFT_OUT = ("ort",)
_KINDS = {"files": dict, "agreement": list, "accuracy": dict, "passed": bool}


@dataclass(frozen=True)
class Form:
    """One model in a bundle."""

    role: str  # ``fused``, ``ncnn`` and so on
    path: Path  # ``BUNDLE/FILE``, as :class:`fusedet.deploy.Detector` takes it
    certified: bool  # it is the file that the bundle's certificate is about, and that has passed
    #: part of the detections found again that the file which it was compared with makes, 0..1
    matched_share: float | None = None
    ap: float | None = None  # AP50-95, 0..1


def read_forms(path: Path) -> list[Form]:
    """The forms of a bundle, the fused file first.

    Raises:
        InputError: this is no bundle, or a damaged one.
    """
    bundle = open_bundle(path)
    facts = _certificate(bundle)
    forms = [_form(bundle, role, facts) for role in bundle.roles if role not in _LEFT_OUT]
    return sorted(forms, key=lambda form: form.role != _DEFAULT)


def quickest(chosen: Mapping[Form, tuple[Tuned, Samples]]) -> tuple[Tuned, str]:
    """The form with the lowest median among those that may run, and in one line why.

    It has to gain more than 5 % over the fused file, which needs nothing but ONNX Runtime.

    Args:
        chosen: the best settings of each form, the fused file's among them.
    """
    times = {form: samples.total.p50 for form, (_, samples) in chosen.items()}
    default = next(form for form in chosen if form.role == _DEFAULT)
    best = min((form for form in chosen if form.certified), key=times.__getitem__, default=default)
    if times[best] < times[default] * (1 - WORTH):
        reason = f"the quickest certified form, {times[best] / times[default]:.2f} of the fused file's time"
    else:
        best, reason = default, "no other certified form gains more than 5 %"
    return replace(chosen[best][0], file=best.path.name), reason


def _form(bundle: Bundle, role: str, facts: Mapping[str, Any]) -> Form:
    name = bundle.roles[role]
    digest = hashlib.sha256(bundle.files[name]).hexdigest()
    if facts.get("files", {}).get(role, {}).get("sha256") != digest:
        return Form(role, bundle.path / name, certified=False)
    shares = [one["matched_share"] for one in facts["agreement"] if one["between"][1] == role]
    ap = facts["accuracy"].get(role, {}).get("ap")
    return Form(role, bundle.path / name, facts["passed"] is True, shares[0] if shares else None, ap)


def _certificate(bundle: Bundle) -> dict[str, Any]:
    name = next((name for name in bundle.files if name.endswith(_CERTIFICATE)), None)
    if name is None:
        return {}
    try:
        facts = parse_json(bundle.files[name])
        if not all(isinstance(facts[key], kind) for key, kind in _KINDS.items()):
            raise ValueError(f"expected {', '.join(_KINDS)}")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{bundle.path}/{name}: damaged: {error!s:.200}") from error
    return dict(facts)
