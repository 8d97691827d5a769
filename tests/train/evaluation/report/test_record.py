from pathlib import Path

import pytest

from fusedet.configs import InputError
from fusedet.train.evaluation.report.record import read_record


def a_run(folder: Path, rows: str) -> Path:
    (folder / "config.yaml").write_text("base: pico\nmodel: {input_size: 64, classes: 3}\n")
    (folder / "metrics.csv").write_text(f"epoch,seconds\n{rows}\n")
    return folder


def test_the_last_row_is_the_last_epoch(tmp_path: Path) -> None:
    assert read_record(a_run(tmp_path, "1,3.5\n2,7.5")).epochs_done == 2


@pytest.mark.parametrize("epoch", ["-3", "0", "2.5", "nan", "inf", "1e400", "1e300"])
def test_a_row_without_an_epoch_is_told(epoch: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metrics\.csv: expected .* a whole epoch in each row"):
        read_record(a_run(tmp_path, f"1,3.5\n{epoch},7.5"))
