"""Studies in pieces: planned, run side by side, interrupted, gone on with."""

import dataclasses
import math
import signal
import sys
import time
from pathlib import Path

import pytest

from benchmarks.command import run_command
from benchmarks.study import Outcome, Piece, Study, Variant, mean_and_spread, read_outcomes, run_pieces
from fusedet.configs import InputError
from fusedet.train.config import load_train_config
from tests.benchmarks.studies import finish, study
from tests.train.drawing import draw_set

METRICS = "epoch,ap,ap50,seconds\n1,0.25,0.5,7\n"


def test_the_first_seed_comes_first(tmp_path: Path) -> None:
    pieces = study(tmp_path / "out", "a", "b", seeds=(3, 5), data=("cells", "cats")).pieces()
    assert [str(piece) for piece in pieces] == [
        *("cells a seed 3", "cells b seed 3", "cats a seed 3", "cats b seed 3"),
        *("cells a seed 5", "cells b seed 5", "cats a seed 5", "cats b seed 5"),
    ]
    last = pieces[-1]
    assert last.folder == tmp_path / "out" / "cats" / "b" / "seed-5"
    assert (last.config.train.seed, last.config.train.epochs, last.config.optim.lr) == (5, 4, 0.002)
    assert last.config.data.train_annotations == tmp_path / "cats" / "annotations" / "train.json"
    assert last.config.train.out == last.run.path


def test_mistakes_are_told_before_anything_runs(tmp_path: Path) -> None:
    wrong = dataclasses.replace(study(tmp_path, "a"), variants=(Variant("a", ("optim.lrr=1",)),))
    with pytest.raises(InputError, match=r"variant a: .*optim\.lrr.*'lr'"):
        wrong.pieces()
    with pytest.raises(InputError, match="each variant needs a name of its own, but a is there twice"):
        study(tmp_path, "a", "b", "a").pieces()
    with pytest.raises(InputError, match=r"each data set needs .* but x is there twice"):
        study(tmp_path, "a", data=("1/x", "2/x")).pieces()


def begin(piece: Piece) -> None:
    """As far as the settings, which are the first that a training leaves behind."""
    from fusedet.configs.validate import dump_config

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


def test_a_training_goes_on_where_it_was(tmp_path: Path) -> None:
    piece = study(tmp_path / "out", "a").pieces()[0]
    assert piece.command()[-2:] == ["train", str(piece.settings)]
    piece.run.path.mkdir(parents=True)
    piece.run.last.touch()
    assert piece.command()[-3:] == ["train", "--resume", str(piece.run.path)]


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


def test_jobs_run_side_by_side(tmp_path: Path) -> None:
    """Two that wait for each other: one after the other they would wait in vain."""
    first, second = study(tmp_path / "out", "first", "second").pieces()

    def meet(own: Piece, other: Piece) -> str:
        wait = f"while not os.path.exists({str(other.folder / 'here')!r}): time.sleep(0.01)"
        return f"open('here', 'w'); exec({wait!r}); {writing_metrics()}"

    pieces = [scripted(first, meet(first, second)), scripted(second, meet(second, first))]
    assert run_pieces(pieces, jobs=2, say=lambda line: None) == []


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


def test_outcomes(tmp_path: Path) -> None:
    one, two, three = study(tmp_path / "out", "one", "two", "three").pieces()
    finish(one, [0.1, math.nan, 0.4, 0.3], seconds=80)
    finish(three, [math.nan] * 2)
    outcomes = read_outcomes([one, two, three])
    assert [outcome.piece for outcome in outcomes] == [one], "the others are not done, or have no grade"
    assert (outcomes[0].ap, outcomes[0].ap50, outcomes[0].seconds) == (0.4, pytest.approx(0.6), 80)
    assert [row["epoch"] for row in outcomes[0].graded] == [1, 3, 4]


def test_mean_and_spread() -> None:
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(math.sqrt(2)))
    mean, spread = mean_and_spread([1.5])
    assert mean == 1.5
    assert math.isnan(spread)


def test_a_command_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise InputError("x.yaml: no such file")

    def interrupt() -> int:
        raise KeyboardInterrupt

    assert run_command("study", lambda: 0) == 0
    assert run_command("study", fail) == 2
    assert run_command("study", interrupt) == 130
    assert capsys.readouterr().err.splitlines() == [
        "study: error: x.yaml: no such file",
        "study: interrupted; the same command goes on from here",
    ]


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
