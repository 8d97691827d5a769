"""Where a run comes from: its data, its settings, its seed, the versions and the machine."""

import platform
from functools import cache
from html import escape
from importlib.metadata import version

import torch

from fusedet.common.hashing import sha256
from fusedet.common.html import code, fold, table
from fusedet.common.machine import processor_name
from fusedet.configs.validate import dump_config
from fusedet.train.data.coco import CocoDataset
from fusedet.train.evaluation.report.record import RunRecord

__all__ = ["provenance", "this_computer"]


@cache
def this_computer() -> str:
    """Processor, accelerator where there is one, system and Python of this very process, in a line."""
    accelerator = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    threads = torch.get_num_threads()
    return (
        f"{processor_name()}{accelerator}, {threads} thread{'' if threads == 1 else 's'}, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def provenance(record: RunRecord, sets: tuple[CocoDataset, CocoDataset] | None) -> str:
    """A table, and the config folded."""
    meta = record.best.meta if record.best else {}
    config = record.config
    rows = [
        ("run folder", _code(str(record.run.path.resolve()))),
        ("seed", str(config.train.seed)),
        ("trained by", _text(f"fusedet {meta.get('fusedet_version', '?')}, torch {meta.get('torch_version', '?')}")),
        ("trained on", _text(meta.get("machine", ""))),
        ("report by", _text(f"fusedet {version('fusedet')}, torch {torch.__version__}")),
        ("report on", _text(this_computer())),
    ]
    if record.best is not None:
        rows.append(("best.pt", _sum(record.best.sha256)))
    for what, dataset in zip(("learned from", "graded on"), sets or (), strict=False):
        rows.append((what, f"{_code(str(dataset.source))}<br>{_sum(sha256(dataset.source))}"))
    if config.train.init is not None:
        rows.append(("began from", _code(str(config.train.init))))
    listed = table(("", ""), ([f'<span class="quiet">{escape(key)}</span>', text] for key, text in rows if text))
    return listed + fold("The whole config, defaults included", code(dump_config(config)))


def _text(text: object) -> str:
    return escape(str(text))


def _code(text: str) -> str:
    return f'<code class="long">{escape(text)}</code>'


def _sum(digest: str) -> str:
    return f'<code class="long quiet">SHA-256 {digest}</code>'
