"""Where a run comes from: its data, its settings, its seed, the versions and the machine."""

import platform
from functools import cache
from importlib.metadata import version

import torch

from fusedet.common.hashing import sha256
from fusedet.common.machine import processor_name
from fusedet.train.data.coco import CocoDataset
from fusedet.train.evaluation.report.record import RunRecord


@cache
def this_computer() -> str:
    """Processor, accelerator where there is one, system and Python of this very process, in a line."""
    accelerator = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    threads = torch.get_num_threads()
    return (
        f"{processor_name()}{accelerator}, {threads} thread{'' if threads == 1 else 's'}, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def provenance(record: RunRecord, sets: tuple[CocoDataset, CocoDataset] | None) -> list[tuple[str, str]]:
    """What is known of where a run comes from, each with its name."""
    meta = record.best.meta if record.best else {}
    config = record.config
    rows = [
        ("run folder", str(record.run.path.resolve())),
        ("seed", str(config.train.seed)),
        ("trained by", f"fusedet {meta.get('fusedet_version', '?')}, torch {meta.get('torch_version', '?')}"),
        ("trained on", str(meta.get("machine", ""))),
        ("report by", f"fusedet {version('fusedet')}, torch {torch.__version__}"),
        ("report on", this_computer()),
    ]
    if record.best is not None:
        rows.append(("best.pt", f"SHA-256 {record.best.sha256}"))
    for what, dataset in zip(("training set", "validation set"), sets or (), strict=False):
        rows += [(what, str(dataset.source)), ("", f"SHA-256 {sha256(dataset.source)}")]
    rows.append(("initial weights", str(config.train.init or "")))
    return [(name, text) for name, text in rows if text]
