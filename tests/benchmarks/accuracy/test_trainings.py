import json
from pathlib import Path

import pytest

from benchmarks.accuracy import __main__ as accuracy
from benchmarks.accuracy.peer_training import read_epochs, summary
from benchmarks.accuracy.trainings import Job, preset_config, read_json, train_preset, write_json
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


def test_states_of_a_training(data: Path) -> None:
    job = job_on(data)
    assert job.state() == "new"
    job.check_origin()
    job.begin()
    assert job.state() == "interrupted"
    write_json(job.record, {})
    assert job.state() == "finished"
    assert job.folder == data.parent / "out" / "drawn" / "pico-64px-1e-seed3"


def test_other_annotations_are_another_training(data: Path) -> None:
    job_on(data).begin()
    job_on(data).check_origin()
    path = data / "annotations" / "val.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(InputError, match=r"pico-64px-1e-seed3: was trained with other annotations; delete it"):
        job_on(data).check_origin()


def test_a_changed_preset_is_another_training(data: Path) -> None:
    job = job_on(data)
    job.begin()
    path = job.folder / "origin.json"
    origin = read_json(path)
    origin["preset"]["model"]["stem_channels"] = 48
    write_json(path, origin)
    with pytest.raises(InputError, match="other preset"):
        job_on(data).check_origin()


def test_a_preset_is_trained_as_it_is_shipped(data: Path) -> None:
    config = preset_config(job_on(data, epochs=7))
    assert config.model.input_size == (64, 64)
    assert (config.train.epochs, config.train.seed, config.train.device) == (7, 3, "cpu")
    assert config.train.out == job_on(data, epochs=7).run
    assert config.data.val_annotations == data / "annotations" / "val.json"


def test_files_are_named_by_what_their_output_needs(data: Path) -> None:
    preset, peer = job_on(data), job_on(data, "yolo11n")
    for job, name in ((preset, "nms-free.onnx"), (preset, "nms-free.fused.onnx"), (peer, "nms.onnx")):
        job.begin()
        (job.folder / name).touch()
    assert preset.files() == {"nms-free": preset.folder / "nms-free.fused.onnx"}
    assert peer.files() == {"nms": peer.folder / "nms.onnx"}


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


def test_a_dry_run_only_lists(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_on(data)
    assert accuracy.main(arguments_of(job, "--dry-run")) == 0
    assert capsys.readouterr().out == f"new          drawn pico seed 3: {job.folder}\n"
    assert not job.out.exists()


def test_a_report_trains_nothing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_on(data)
    assert accuracy.main(arguments_of(job, "--only-report")) == 0
    assert "0 of 1 trainings are finished" in capsys.readouterr().out
    assert not job.folder.exists()


def test_data_that_is_not_there(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy.main([*arguments_of(job_on(data)), "--data", "nowhere"]) == 2
    assert "nowhere: expected COCO annotations" in capsys.readouterr().err


def test_two_sets_of_one_name(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy.main([*arguments_of(job_on(data)), "--data", str(data)]) == 2
    assert "same name" in capsys.readouterr().err


@pytest.mark.skipif(is_installed(), reason="Ultralytics is installed")
def test_peers_are_left_out_without_ultralytics(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy.main(arguments_of(job_on(data, "yolo11n"))) == 0
    assert "yolo11n: left out, Ultralytics is not installed" in capsys.readouterr().out


def test_an_epoch_that_was_trained_twice_counts_once(tmp_path: Path) -> None:
    first = {"epoch": 1, "ap": 0.3, "ap50": 0.5, "seconds": 3.0, "images_per_second": 10.0}
    lost = {"epoch": 2, "ap": 0.9, "ap50": 0.9, "seconds": 5.0, "images_per_second": 5.0}
    again = {"epoch": 2, "ap": 0.2, "ap50": 0.4, "seconds": 4.0, "images_per_second": 30.0}
    log = tmp_path / "epochs.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in (first, lost, again)))
    assert summary(read_epochs(log)) == {
        "seconds": 7.0,
        "images_per_second": pytest.approx(15.0),  # the same images twice: once in 3 s, once in 1 s
        "best_epoch": 1,
        "curve": [{"epoch": 1, "ap": 0.3, "ap50": 0.5}, {"epoch": 2, "ap": 0.2, "ap50": 0.4}],
    }


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
