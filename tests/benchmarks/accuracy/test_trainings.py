from pathlib import Path

import pytest

from benchmarks.accuracy import __main__ as accuracy
from benchmarks.accuracy.trainings import Job, train_preset
from benchmarks.command import read_json, write_json
from benchmarks.peers.ultralytics_models import is_installed
from fusedet.common.errors import InputError
from tests.train.drawing import draw_set


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return draw_set(tmp_path / "drawn")


def job_on(data: Path, model: str = "pico", epochs: int = 1) -> Job:
    return Job(model, data, seed=3, epochs=epochs, size=64, out=data.parent / "out", device="cpu")


def arguments_of(job: Job, *more: str) -> list[str]:
    pairs = {"--data": job.data, "--models": job.model, "--epochs": job.epochs, "--size": job.size, "--out": job.out}
    pairs |= {"--seeds": job.seed, "--device": job.device, "--rounds": 1}
    return [*(str(word) for pair in pairs.items() for word in pair), *more]


def test_a_changed_preset_is_another_training(data: Path) -> None:
    job = job_on(data)
    job.begin()
    path = job.folder / "origin.json"
    origin = read_json(path)
    origin["preset"]["model"]["stem_channels"] = 48
    write_json(path, origin)
    with pytest.raises(InputError, match="other preset"):
        job_on(data).check_origin()


@pytest.mark.slow
def test_what_is_finished_is_not_done_again(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_on(data)
    (job.run / "tensorboard").mkdir(parents=True)  # killed in its first epoch
    assert accuracy.main(arguments_of(job)) == 0
    record = read_json(job.record)
    assert [row["epoch"] for row in record["curve"]] == [1]
    assert record["seconds"] > 0
    assert set(job.files()) == {"nms-free", "nms"}
    results = read_json(job.out / "results.json")
    assert {row["head"] for row in results["summary"]} == {"nms-free", "nms"}
    (training,) = results["trainings"]
    assert training["grades"]["nms-free"]["ap"] == pytest.approx(results["summary"][0]["mean_ap"])
    assert (job.out / "pareto.png").read_bytes().startswith(b"\x89PNG")

    before = {path: path.stat().st_mtime_ns for path in job.folder.rglob("*")}
    capsys.readouterr()
    assert accuracy.main(arguments_of(job)) == 0
    assert {path: path.stat().st_mtime_ns for path in job.folder.rglob("*")} == before
    said = capsys.readouterr().out
    assert "training 1" not in said
    assert "1 of 1 trainings are finished" in said

    job.record.unlink()  # killed before the export
    best = (job.run / "best.pt").stat().st_mtime_ns
    assert train_preset(job_on(data))
    assert read_json(job.record) == record
    assert (job.run / "best.pt").stat().st_mtime_ns == best, "nothing is trained again"


@pytest.mark.skipif(is_installed(), reason="Ultralytics is installed")
def test_peers_are_left_out_without_ultralytics(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy.main(arguments_of(job_on(data, "yolo11n"))) == 0
    assert "yolo11n: left out, Ultralytics is not installed" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason="needs the extra 'ultralytics'")
def test_ultralytics_trains_and_its_file_is_graded(data: Path) -> None:
    job = job_on(data, "yolo26n")
    assert accuracy.main(arguments_of(job)) == 0
    assert set(job.files()) == {"nms-free", "nms"}
    record = read_json(job.record)
    assert set(record["own_val"]) == {"nms-free", "nms"}
    assert [row["epoch"] for row in record["curve"]] == [1]
    assert set(read_json(job.grades)) == {"nms-free", "nms"}
    assert {path.name for path in job.out.iterdir()} == {
        "drawn",
        "ultralytics",
        "results.json",
        "results.md",
        "pareto.png",
    }
