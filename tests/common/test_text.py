import pytest

from fusedet.common.text import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.yaml: no such file", "a.yaml: no such file"),
        ("a\r\nb\nc", "a b c"),
        ("\x1b[2Ja\0\tb\udce8", "\\x1b[2Ja\\x00\\tb\\udce8"),
        ("Größe 猫 می‌روم", "Größe 猫 می‌روم"),
        ("", ""),
    ],
)
def test_a_message_is_one_line_without_control_characters(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_name_shows_its_ends() -> None:
    line = one_line(f"/data/{'a/' * 3000}b.jpg: no such file")
    assert len(line) < 320
    assert line.startswith("/data/a/")
    assert line.endswith("b.jpg: no such file")
