"""Studies in pieces: planned, run side by side, interrupted, gone on with."""

import dataclasses
import signal
import sys
import time
from pathlib import Path

import pytest

from benchmarks.study import Outcome, Piece, Study, Variant, read_outcomes, run_pieces
from fusedet.configs import InputError
from fusedet.train.config import load_train_config
from tests.benchmarks.studies import study
from tests.train.drawing import draw_set

METRICS = "epoch,ap,ap50,seconds\n1,0.25,0.5,7\n"


def begin(piece: Piece) -> None:
    """As far as the settings, which are the first that a training leaves behind."""
    from fusedet.configs.reader.validate import dump_config

    piece.folder.mkdir(parents=True)
    piece.settings.write_text(dump_config(piece.config))


def test_other_settings_are_not_mixed_with_those_of_before(tmp_path: Path) -> None:
    plan = study(tmp_path / "out", "a")
    begin(plan.pieces()[0])
    same = dataclasses.replace(plan, common=(*plan.common, "data.workers=0", "data.cache=none"))
    assert same.pieces()[0].config.data.workers == 0
    other = dataclasses.replace(plan, common=("train.epochs=5", "model.input_size=96"))
    with pytest.raises(InputError, match=r"seed-0: was begun with other settings \(train.epochs: 4, now 5\)"):
        other.pieces()


class Scripted(Piece):
    """A piece that runs a line of Python in its folder instead of a training."""

    script = ""

    def command(self) -> list[str]:
        return [sys.executable, "-c", f"import os, time; os.chdir({str(self.folder)!r}); {self.script}"]


def scripted(piece: Piece, script: str) -> Scripted:
    fields = {field.name: getattr(piece, field.name) for field in dataclasses.fields(piece)}
    scripted = Scripted(**fields)
    object.__setattr__(scripted, "script", script)
    return scripted


def writing_metrics(before: str = "pass") -> str:
    return f"os.makedirs('run'); {before}; open('run/metrics.csv', 'w').write({METRICS!r})"


def test_pieces_run_once_and_failures_are_told(tmp_path: Path) -> None:
    good, bad = study(tmp_path / "out", "good", "bad").pieces()
    pieces = [scripted(good, writing_metrics()), scripted(bad, "print('first'); exit('it broke')")]
    said: list[str] = []
    failures = run_pieces(pieces, jobs=1, say=said.append)
    assert failures == [f"cells bad seed 0: ended with 1: it broke ({bad.log})"]
    assert "cells good seed 0: AP 0.250 in 7 s" in said
    assert [str(outcome.piece) for outcome in read_outcomes(pieces)] == ["cells good seed 0"]
    assert load_train_config(good.settings) == good.config

    # Neither is trained again what is done, nor refused what was begun and left no checkpoint.
    again = [scripted(good, "exit('again')"), scripted(bad, writing_metrics())]
    assert run_pieces(again, jobs=1, say=said.append) == []
    assert [outcome.ap for outcome in read_outcomes(again)] == [0.25, 0.25]


def test_a_stopped_study_stops_its_trainings(tmp_path: Path) -> None:
    [piece] = study(tmp_path / "out", "a").pieces()
    # Asks for the stop itself, then does as a training: saves when it is told to end.
    script = (
        "import signal; signal.signal(signal.SIGTERM, lambda *_: (open('saved', 'w'), exit(130))); "
        "os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    )
    start, before = time.monotonic(), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run_pieces([scripted(piece, script)], say=lambda line: None)
    assert time.monotonic() - start < 50
    assert (piece.folder / "saved").exists()
    assert not piece.marker.exists()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_a_real_training(tmp_path: Path) -> None:
    draw_set(tmp_path / "drawn")
    common = ("train.epochs=1", "train.batch=3", "model.input_size=64", "data.workers=0", "train.diagnostics=true")
    plan = Study("pico", (Variant("plain"),), (tmp_path / "drawn",), (1,), tmp_path / "out", common)
    [piece] = plan.pieces()
    assert run_pieces([piece], say=lambda line: None) == [], piece.log.read_text()
    outcome = Outcome(piece)
    assert (len(outcome.rows), outcome.seconds > 0) == (1, True)
    assert piece.run.best.exists()
    assert piece.run.diagnostics.exists()
    assert run_pieces(plan.pieces(), say=lambda line: None) == []
