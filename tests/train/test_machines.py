"""Two machines train as one: two network namespaces, joined by nothing but a virtual cable."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusedet.configs.reader.validate import dump_config
from fusedet.model import load_checkpoint, save_checkpoint
from fusedet.train import TrainConfig, resume, train
from fusedet.train.run_folder import RunFolder
from tests.train.trainings import changed

pytestmark = pytest.mark.slow

ADDRESSES = ("10.213.77.1", "10.213.77.2")
CABLE = "fusedet0"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def machines() -> Iterator[list[str]]:
    """Names of the namespaces. Neither has a network but the cable between them."""
    names = [f"fusedet-{os.getpid()}-{i}" for i in range(2)]
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces take root and the command ip")
    try:
        try:
            for name in names:
                _ip("netns", "add", name)
            _ip("link", "add", CABLE, "netns", names[0], "type", "veth", "peer", "name", CABLE, "netns", names[1])
            for name, address in zip(names, ADDRESSES, strict=True):
                _ip("-n", name, "addr", "add", f"{address}/24", "dev", CABLE)
                _ip("-n", name, "link", "set", CABLE, "up")
                _ip("-n", name, "link", "set", "lo", "up")
            _ip("netns", "exec", names[0], "true")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def start(machines: list[str], config: TrainConfig, folder: Path) -> list[subprocess.Popen[str]]:
    """torchrun on each machine, with the same command but for its number."""
    source = folder / "machines.yaml"
    source.write_text(dump_config(config))
    launched = []
    for rank, machine in enumerate(machines):
        command = ["ip", "netns", "exec", machine, sys.executable, "-m", "torch.distributed.run"]
        command += ["--nnodes", "2", "--node_rank", str(rank), "--nproc_per_node", "1"]
        command += ["--master_addr", ADDRESSES[0], "--master_port", "29517"]
        command += ["-m", "fusedet.cli.main", "train", str(source)]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": CABLE, "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        launched.append(subprocess.Popen(command, env=environment, text=True, start_new_session=True, **pipes))
    return launched


def end(processes: list[subprocess.Popen[str]], seconds: float) -> list[str]:
    """What they said."""
    try:
        return [process.communicate(timeout=seconds)[0] for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def worker_of(machine: str) -> int:
    """The process that trains there: not torchrun, which started it."""
    ids = subprocess.run(["ip", "netns", "pids", machine], check=True, capture_output=True, text=True).stdout.split()
    said = {int(number): Path(f"/proc/{number}/cmdline").read_bytes() for number in ids}
    (found,) = (number for number, line in said.items() if b"fusedet.cli.main" in line and b"torch.distr" not in line)
    return found


def test_two_machines_learn_what_one_process_learns(
    machines: list[str], tiny: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss of each epoch agrees within 5 %: the way is the same, rounding tips which points learn an object."""
    alone, both = RunFolder(tmp_path / "alone"), RunFolder(tmp_path / "both")
    calm = {"mosaic": 0.0, "translate": 0.0, "scale": 0.0}
    whole = changed(tiny, train={"epochs": 10, "batch": 6, "report": False}, augment=calm, optim={"lr": 0.004})
    train(changed(whole, train={"out": alone.path}))
    processes = start(machines, changed(whole, train={"out": both.path}), tmp_path)
    said = end(processes, 400)
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    mine, theirs = ([row["loss"] for row in run.read_metrics()] for run in (alone, both))
    with capsys.disabled():
        print("\nloss by epoch, one process:", *(f"{loss:.4f}" for loss in mine))
        print("loss by epoch, two machines:", *(f"{loss:.4f}" for loss in theirs))
    assert len(theirs) == 10
    assert theirs == pytest.approx(mine, rel=0.05)
    assert mine[-1] < 0.9 * mine[0], "it learned"


def test_a_machine_that_is_lost_ends_the_other_and_the_run_goes_on(
    machines: list[str], tiny: TrainConfig, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    processes = start(machines, changed(tiny, train={"epochs": 2000, "out": run.path, "report": False}), tmp_path)
    try:
        deadline = time.monotonic() + 300
        while not (run.last.exists() and load_checkpoint(run.last).meta["epoch"] >= 1):
            assert all(process.poll() is None for process in processes)
            assert time.monotonic() < deadline
            time.sleep(0.2)
        os.kill(worker_of(machines[1]), signal.SIGKILL)
    except BaseException:
        end(processes, 0)
        raise
    said = end(processes, 120)
    assert all(process.returncode != 0 for process in processes)
    line = "another process of this training has ended, or does not answer; go on with: fusedet train --resume"
    assert line in said[0]

    checkpoint = load_checkpoint(run.last)
    done = checkpoint.meta["epoch"]
    checkpoint.meta["config"]["train"]["epochs"] = done + 1
    save_checkpoint(run.last, checkpoint.state, checkpoint.meta)
    assert resume(run.path).finished
    assert [row["epoch"] for row in run.read_metrics()] == list(range(1, done + 2))
