"""The search: trials one after the other, proposed by optuna, and kept, so that an interrupted search goes on."""

import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from fusedet.common.atomic import whole_file, write_text
from fusedet.common.errors import GaveUpError, InputError
from fusedet.configs.reader.validate import dump_config
from fusedet.train.config import TrainConfig
from fusedet.train.data.training_sets import load_sets
from fusedet.train.loop.preparation import resolve_defaults
from fusedet.train.loop.progress import TrainingProgress
from fusedet.train.loop.start import resume, train
from fusedet.train.loop.trainer import TrainResult
from fusedet.train.run_folder import RunFolder
from fusedet.train.tune.space import Axis, Choice, own_values
from fusedet.train.tune.trials import Trial, best_of, draw_trials, table

_NAME = "fusedet"
#: Trials that run to their end before any is compared with the median of the others.
_UNCOMPARED = 4
#: What SQLite says of a disk that takes no more, or of a file that another process holds.
_OF_THE_DISK = ("disk is full", "disk I/O error", "readonly database", "unable to open", "is locked")
_GO_ON = "once that is mended, the same command goes on"
_STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "ended early", TrialState.FAIL: "left"}


def tune(
    config: Callable[[Sequence[str]], TrainConfig],
    space: Mapping[str, Axis],
    count: int,
    folder: Path,
    say: Callable[[str], None] = print,
) -> tuple[list[Trial], bool]:
    """Trains with other settings, ``count`` times in all, and writes what came out.

    ``folder`` then holds ``study.db``, a run folder for each trial, ``trials.csv``, ``trials.png`` and
    ``best.yaml``, a config for ``fusedet train``. A search that was interrupted goes on when it is called again
    with the same folder, in the middle of a trial too; one that is done goes on with a higher ``count``, which
    counts trials of earlier calls.

    Args:
        config: gives the config with some settings changed.
        space: what to change.
        count: trials that are done or ended early.
        folder: of the search.
        say: is given a line for each trial.

    Returns:
        The trials, and whether all are there: False after Ctrl-C.

    Raises:
        InputError: the folder holds something else, or a trial's settings cannot be used together.
    """
    base = config([])
    own = own_values(space, resolve_defaults(base, load_sets(base.data)[0]))
    with _study(folder, base, space) as study:
        _take_up_again(study, folder)
        if own is not None and not study.trials:
            study.enqueue_trial(own)  # the config as it is comes first
        complete = True
        counted = (TrialState.COMPLETE, TrialState.PRUNED)
        while complete and len(study.get_trials(deepcopy=False, states=counted)) < count:
            trial = study.ask()
            settings = _settings(trial, space)
            complete = _run(study, trial, settings, config, folder)
            trials = _trials(study, space, folder)
            _write_results(trials, space, folder, config)
            if complete:
                say(_line(trials, trial.number, count))
        return _trials(study, space, folder), complete


class _HopelessError(Exception):
    """Ends a trial that others leave behind."""


class _Watched(TrainingProgress):
    """Shows the bar of a trial, but no line; each epoch is told to the study."""

    def __init__(self, epochs: int, trial: optuna.Trial) -> None:
        super().__init__(epochs)
        self._trial, self._best = trial, -1.0

    def say(self, line: str) -> None:
        """The search has lines of its own."""

    def finish_epoch(self, epoch: int, loss: float, ap: float, ap50: float, rate: float, seconds_left: float) -> None:
        """Ends the trial where its best epoch is below the median of what others had reached by then."""
        if math.isnan(ap):
            return
        self.report(epoch, ap)
        if self._trial.should_prune():
            raise _HopelessError

    def report(self, epoch: int, ap: float) -> None:
        """Tells the study what was reached so far."""
        self._best = max(self._best, ap)
        self._trial.report(self._best, epoch)


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    settings: dict[str, str],
    config: Callable[[Sequence[str]], TrainConfig],
    folder: Path,
) -> bool:
    """One trial, or its rest; False when it was interrupted."""
    run = RunFolder(folder / trial.user_attrs.get("run", f"trial-{trial.number}"))
    trial.set_user_attr("run", run.path.name)
    own = [f"train.out={json.dumps(str(run.path))}", "train.report=false"]
    try:
        changed = config([*_words(settings), *own])
        watched = _Watched(changed.train.epochs, trial)
        result = _train(changed, run, watched)
    except (_HopelessError, FloatingPointError):
        study.tell(trial, state=TrialState.PRUNED)
        return True
    except InputError as error:
        study.tell(trial, state=TrialState.FAIL)
        raise InputError(f"trial {trial.number} ({', '.join(_words(settings))}): {error}") from error
    except GaveUpError as error:
        if isinstance(cause := error.__cause__, OSError):
            raise GaveUpError(f"{cause.filename or run.path}: {cause.strerror}; {_GO_ON}") from error
        raise
    if not result.finished:
        return False
    ap = result.metrics.get("ap", math.nan)
    if math.isnan(ap):
        raise InputError(f"{run.path}: no epoch has an AP to compare: does the validation set have objects?")
    study.tell(trial, ap)
    return True


def _train(config: TrainConfig, run: RunFolder, watched: _Watched) -> TrainResult:
    if not run.last.is_file():
        return train(config, progress=watched)
    for row in run.read_metrics():
        if not math.isnan(row["ap"]):
            watched.report(int(row["epoch"]), row["ap"])
    return resume(run.path, progress=watched)


@contextmanager
def _study(folder: Path, base: TrainConfig, space: Mapping[str, Axis]) -> Iterator[optuna.Study]:
    """The search in ``folder``, begun or gone on with."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / "study.db"
    if folder.exists() and not path.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: expected a folder of fusedet tune or none, but it holds something else")
    folder.mkdir(parents=True, exist_ok=True)
    with _naming_study(path):
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        try:
            yield _open_study(storage, folder, base, space)
        finally:
            storage.engine.dispose()


def _open_study(
    storage: optuna.storages.RDBStorage, folder: Path, base: TrainConfig, space: Mapping[str, Axis]
) -> optuna.Study:
    study = optuna.create_study(storage=storage, study_name=_NAME, direction="maximize", load_if_exists=True)
    question = {"config": base.model_dump(mode="json"), "space": {key: repr(axis) for key, axis in space.items()}}
    if study.user_attrs.get("question", question) != question:
        raise InputError(f"{folder}: was begun with other settings or another --search; give another --out")
    study.set_user_attr("question", question)
    # Another seed for each call: the same one would propose what it proposed before.
    study.sampler = optuna.samplers.TPESampler(seed=base.train.seed + len(study.trials))
    study.pruner = optuna.pruners.MedianPruner(_UNCOMPARED, n_warmup_steps=max(1, base.train.epochs // 5))
    return study


@contextmanager
def _naming_study(path: Path) -> Iterator[None]:
    """What SQLite says, also deep in the errors of optuna and SQLAlchemy, is said of the file."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        said = next((cause for cause in _causes(error) if isinstance(cause, sqlite3.Error)), error)
        if any(words in str(said) for words in _OF_THE_DISK):
            raise GaveUpError(f"{path}: {said}; {_GO_ON}") from error
        raise InputError(f"{path}: expected what an earlier search has written, but: {said}") from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _take_up_again(study: optuna.Study, folder: Path) -> None:
    """A trial that was going on when its process ended becomes the next one.

    It goes on in its run folder, or begins in another where nothing was trained.
    """
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        run = trial.user_attrs.get("run")
        begun = run is not None and RunFolder(folder / run).last.is_file()
        study.enqueue_trial(trial.params, user_attrs={"run": run} if begun else None)


def _settings(trial: optuna.Trial, space: Mapping[str, Axis]) -> dict[str, str]:
    found = {}
    for key, axis in space.items():
        if isinstance(axis, Choice):
            found[key] = str(trial.suggest_categorical(key, axis.values))
        elif axis.whole:
            found[key] = axis.text(
                trial.suggest_int(key, int(axis.low), int(axis.high), log=axis.log, step=int(axis.step or 1))
            )
        else:
            found[key] = axis.text(trial.suggest_float(key, axis.low, axis.high, log=axis.log, step=axis.step))
    return found


def _words(settings: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in settings.items()]


def _trials(study: optuna.Study, space: Mapping[str, Axis], folder: Path) -> list[Trial]:
    trials = []
    for found in study.get_trials(states=tuple(_STATES)):
        reached: Any = max(found.intermediate_values.values(), default=math.nan)
        settings = {
            key: found.params[key] if isinstance(axis, Choice) else axis.text(found.params[key])
            for key, axis in space.items()
            if key in found.params
        }
        if len(settings) == len(space):
            run, epochs = folder / found.user_attrs.get("run", ""), max(found.intermediate_values, default=0)
            ap = float(found.value if found.value is not None else reached)
            state: Any = _STATES[found.state]
            trials.append(Trial(found.number, state, ap if state != "left" else math.nan, epochs, settings, run))
    return trials


def _write_results(
    trials: Sequence[Trial], space: Mapping[str, Axis], folder: Path, config: Callable[[Sequence[str]], TrainConfig]
) -> None:
    best = best_of(trials)
    write_text(folder / "trials.csv", table(trials))
    with whole_file(folder / "trials.png") as part:
        draw_trials(trials, space, part)
    if best is not None:
        write_text(folder / "best.yaml", dump_config(config(_words(best.settings))))


def _line(trials: Sequence[Trial], number: int, count: int) -> str:
    trial, best = next(trial for trial in trials if trial.number == number), best_of(trials)
    done = sum(trial.state != "left" for trial in trials)
    said = f"trial {number}, {done} of {count}  AP {trial.ap:.3f} in {trial.epochs} epochs, {trial.state}"
    return f"{said}; best {best.ap if best else math.nan:.3f}  {' '.join(_words(trial.settings))}"
