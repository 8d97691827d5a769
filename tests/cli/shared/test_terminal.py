"""What a terminal shows beside results: progress, colour and whole words; files and pipes get none of it."""

import io
import sys
import time

import pytest

from fusedet.cli.main import COMMANDS, build_parser, main
from fusedet.cli.shared.files import counter
from fusedet.cli.shared.terminal import bold, show_progress, working, wrapped


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Takes the place of both streams; not a fixture, since pytest sets streams of its own before each test."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    return stream


def wait_for(text: str, stream: io.StringIO) -> None:
    end = time.monotonic() + 10
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.005)


def screen(text: str) -> str:
    """What is left to see of lines that were cleared."""
    return "\n".join(part.rpartition("\r\033[K")[2] for part in text.split("\n"))


def test_a_silent_command_says_that_it_works_and_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with working("fusedet export", silence_s=0.01, every_s=0.01):
        wait_for("fusedet export ... 0 s", terminal)
        print("done")
    assert screen(terminal.getvalue()) == "done\n"
    assert sys.stdout is terminal


def test_the_line_says_how_far_a_command_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    count = counter(total=20)
    count(1)  # nothing is at work yet
    with working("fusedet eval", silence_s=0.01, every_s=0.01):
        count(11)
        wait_for("fusedet eval: 12 of 20 images ... 0 s", terminal)
        print("AP 0.5")
    assert screen(terminal.getvalue()) == "AP 0.5\n"


def test_an_unfinished_line_of_a_command_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with working("fusedet export", silence_s=0.01, every_s=0.01):
        print("12 images", end="")
        time.sleep(0.1)
    assert terminal.getvalue() == "12 images"


def test_quiet_commands_and_files_get_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    show_progress(False)
    with working("fusedet export", silence_s=0.0, every_s=0.0):
        assert sys.stderr is terminal
    show_progress(True)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with working("fusedet export", silence_s=0.0, every_s=0.0):
        assert not isinstance(sys.stderr, Terminal)
    assert terminal.getvalue() == ""


def test_a_failure_takes_the_line_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    with pytest.raises(ValueError, match="x"), working("fusedet", silence_s=0.0, every_s=0.01):  # noqa: PT012
        wait_for("0 s", terminal)
        raise ValueError("x")
    assert screen(terminal.getvalue()) == ""


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    assert bold("a", terminal) == "\033[1ma\033[0m"
    assert bold("a", io.StringIO()) == "a"
    monkeypatch.setenv("NO_COLOR", "1")
    assert bold("a", terminal) == "a"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert bold("a", terminal) == "a"


def test_errors_break_between_words_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = a_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    text = "a/long/path/that/must/be/one/word/to/be/copied.yaml:3: " + "word " * 20
    lines = wrapped(text, terminal).splitlines()
    assert lines[0] == "a/long/path/that/must/be/one/word/to/be/copied.yaml:3:"
    assert all(len(line) <= 40 for line in lines[1:])
    assert wrapped(text, io.StringIO()) == text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert [line for line in build_parser(command).format_help().splitlines() if len(line) > 80] == []


def test_the_overview_fits_80_columns_and_help_is_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["help"]) == 0
    overview = capsys.readouterr().out
    assert all(len(line) <= 80 for line in overview.splitlines())
    with pytest.raises(SystemExit):
        main(["help", "data", "check"])
    assert capsys.readouterr().out.startswith("usage: fusedet data check ")
    assert main(["data", "--help"]) == 0
    assert "data label" in capsys.readouterr().out
    assert main(["help", "nothing"]) == 2


def test_verbose_says_where_an_error_arose_and_shows_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "nano", "rtsp://me:secret@[::1/x", "-v"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "secret" not in said
