from pathlib import Path

import onnxruntime as ort
import pytest

from fusedet.common.machine import processor_name, this_machine

PI_4 = "".join(f"processor\t: {i}\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\n" for i in range(4))
MIXED = "".join(f"CPU implementer\t: 0x41\nCPU part\t: {part}\n" for part in ("0xd05", "0xd05", "0xd0b", "0xfff"))


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("model name\t: Intel(R) N100\nmodel name\t: Intel(R) N100\n", "Intel(R) N100"),
        (f"{PI_4}Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n", "4 x Cortex-A72"),
        (MIXED, "2 x Cortex-A55, 1 x Cortex-A76, 1 x ARM core 0xfff"),
        ("model name\t: ARMv7 Processor rev 3 (v7l)\nCPU implementer\t: 0x41\nCPU part\t: 0xc07\n", "1 x Cortex-A7"),
        ("Model\t\t: Some Board\n", "Some Board"),
    ],
)
def test_the_processors_name(tmp_path: Path, cpuinfo: str, name: str):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(cpuinfo)
    assert processor_name(tmp_path) == name


def test_a_board_tells_its_own_name_and_memory(tmp_path: Path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    (tmp_path / "proc/cpuinfo").write_text("Features\t: fp asimd asimddp\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal:        8129536 kB\n")
    machine = this_machine(tmp_path)
    assert (machine.board, machine.vector, machine.memory_mb) == ("Raspberry Pi 5 Model B Rev 1.0", "asimddp", 7939)


def test_a_system_without_proc_is_described_all_the_same(tmp_path: Path):
    machine = this_machine(tmp_path)
    assert (machine.board, machine.vector, machine.memory_mb) == ("", "unknown", None)
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.versions["onnxruntime"] == ort.__version__
