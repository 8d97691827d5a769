import json

import pytest

from fusedet.common.plain_json import parse_json, short


def test_json_is_what_it_is() -> None:
    assert parse_json('{"a": [1, 2.5, "é"]}') == {"a": [1, 2.5, "é"]}
    assert parse_json(b"[null]") == [None]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, b"\xff\xfe\x00", ""])
def test_whatever_is_wrong_is_one_kind_of_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_a_place_is_named() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        parse_json('{"a":\n 1,}')
    assert caught.value.lineno == 2


def test_values_are_shown_short() -> None:
    bomb: list[object] = ["x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    assert short((3, 4)) == "(3, 4)"
    assert short("a" * 100) == "'" + "a" * 76 + "..."
    for value in (bomb, "\n" * 1000, 10**10_000, {"a": "x" * 1000}):
        assert len(short(value)) <= 80
        assert "\n" not in short(value)
