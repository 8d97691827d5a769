"""Commands as a user types them, within this process."""

from collections.abc import Callable
from pathlib import Path

#: The fixture ``refused``: arguments and parts of the message -> the message.
Refused = Callable[..., str]


def exit_code(arguments: list[str]) -> int:
    """Runs ``fusedet`` with these arguments."""
    from fusedet.cli.main import main

    try:
        return main(arguments)
    except SystemExit as stop:  # argparse's own way
        return int(stop.code or 0)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file and folder with what it holds."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}
