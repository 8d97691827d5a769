import shutil
import subprocess

import pytest

from fusedet.cli.main import main

BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("fusedet tra", "train"),
        ("fusedet data ch", "check"),
        ("fusedet data check --fi", "--fix"),
        ("fusedet train na", "nano"),
        ("fusedet train nano --res", "--resume"),
        ("fusedet export nano --int8-a", "--int8-ap-loss"),
        ("fusedet help tr", "train"),
        ("fusedet nothing --x", ""),
    ],
)
def test_bash_completes_commands_options_and_presets(
    typed: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    words = typed.split()
    ask = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _fusedet; echo ${{COMPREPLY[@]}}"
    result = subprocess.run([str(BASH), "-c", capsys.readouterr().out + ask], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == (expected, "")
