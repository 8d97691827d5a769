import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusedet.configs import InputError, preset_names, preset_path
from fusedet.configs.reader.loader import LEFT_EMPTY, dump_yaml, load_config, nearest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command runs: files in it have short names in messages."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text: str, *overrides: str) -> dict:
    Path("my.yaml").write_text(text, encoding="utf-8")
    return load_config("my.yaml", overrides).data


def message(text: str, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load(text, *overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("010", 10),
        ("-7", -7),
        ("+7", 7),
        ("123456789012345678901", 123456789012345678901.0),
        ("true", True),
        ("False", False),
        ("", LEFT_EMPTY),
        ("~", None),
        ("null", None),
        ("yes", "yes"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("'1e-3'", "1e-3"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("[1, [2, {a: 3}]]", [1, [2, {"a": 3}]]),
        ("grüße", "grüße"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(folder: Path, text: str, value: object) -> None:
    loaded = load(f"key: {text}")["key"]
    assert loaded == value
    assert type(loaded) is type(value)


def test_keys_are_text_whatever_they_look_like(folder: Path) -> None:
    assert load("on: 1\n5: 2\nnull: 3\n") == {"on": 1, "5": 2, "null": 3}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_has_no_keys(folder: Path, text: str) -> None:
    assert load(text) == {}


def test_an_alias_repeats_its_value_and_keeps_the_line_of_its_key(folder: Path) -> None:
    Path("my.yaml").write_text("a: &it {x: 1}\nb: *it\n")
    tree = load_config("my.yaml", ["b.x=2"])
    assert tree.data == {"a": {"x": 1}, "b": {"x": 2}}
    assert tree.where(("b",)) == "my.yaml:2"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", ["my.yaml:5", "b.c", "twice", "line 3"]),
        ("a: 1\nb: [1\nc: 2\n", ["my.yaml:3", "not YAML"]),
        ("a:\n\tb: 1\n", ["my.yaml:2", "not YAML", "'\\t'"]),
        ("a: 1\n---\nb: 1\n", ["my.yaml:2", "not YAML", "another document"]),
        ("a: *nowhere\n", ["my.yaml:1", "not YAML", "undefined alias", "quotes"]),
        ("a: &a [*a]\n", ["my.yaml", "alias"]),
        ("a: " + "[" * 2000 + "]" * 2000, ["my.yaml", "nested too deeply"]),
        ("- 1\n", ["my.yaml:1", "expected sections", "a list"]),
        ("nano\n", ["my.yaml:1", "expected sections", "text"]),
        ("a: 1\n? [b]\n: 2\n", ["my.yaml:2", "a key must be text"]),
        ("a: 1\nb: !!python/object/apply:os.getcwd []\n", ["my.yaml:2", "tag"]),
        ("a: !!python/name:os.system x\n", ["my.yaml:1", "tag"]),
        ("a: !!set {b}\n", ["my.yaml:1", "tag", "quotes"]),
        ("a: !!map 3\n", ["my.yaml:1", "map"]),
        ("a: !!int twelve\n", ["my.yaml:1", "int"]),
        ("a: 1\nbase: 3\n", ["my.yaml:2", "base", "got 3"]),
        ("a: 1\nbase: nanno\n", ["my.yaml:2", "nanno", "did you mean 'nano'?", "pico"]),
        ("\n\nbase: my.yaml\n", ["my.yaml:3", "base", "my.yaml -> my.yaml"]),
        ('a: 1\nb: "\\ud800"\n', ["my.yaml:2", "UTF-8"]),
        ("a: 1\nb: \x00\n", ["my.yaml:2", "not YAML", "U+0000"]),
        ("a: ä\nb: ö # \x07\n", ["my.yaml:2", "not YAML", "U+0007"]),
    ],
)
def test_a_wrong_file_is_named_with_its_line(folder: Path, text: str, parts: list[str]) -> None:
    found = message(text)
    assert found.startswith(parts[0] + ":")
    for part in parts:
        assert part in found


def test_aliases_may_not_explode_a_small_file(folder: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more than" in message("\n".join(lines))


def test_text_that_is_not_utf8_is_refused(folder: Path) -> None:
    Path("my.yaml").write_bytes("a: ä\n".encode() + b"b: gr\xfc\xdfe\n")
    with pytest.raises(InputError, match=r"^my\.yaml:2: not YAML: .*0xFC.*UTF-8"):
        load_config("my.yaml")


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("nanno", ["there is no such file", "did you mean 'nano'?"]),
        ("missing/nano.yaml", ["there is no such file", "nano"]),
        (".", ["this is a folder", "pico"]),
    ],
)
def test_a_source_that_does_not_exist_lists_the_presets(folder: Path, source: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_config(source)
    for part in (repr(source), *parts, *preset_names()):
        assert part in str(caught.value)


def test_base_merges_sections_and_replaces_all_else(folder: Path) -> None:
    Path("sub").mkdir()
    Path("sub/low.yaml").write_text("a: {x: 1, y: {p: 1, q: 2}}\nl: [1, 2, 3]\ns: {t: 1}\n")
    Path("sub/mid.yaml").write_text("base: low.yaml\n\na:\n  y:\n    q: 3\nl: [4]\ns: 5\n")
    Path("my.yaml").write_text("base: sub/mid.yaml\na:\n  z: 0\n")
    tree = load_config("my.yaml")
    assert tree.data == {"a": {"x": 1, "y": {"p": 1, "q": 3}, "z": 0}, "l": [4], "s": 5}
    assert tree.where(("a", "z")) == "my.yaml:3"
    assert tree.where(("a", "y", "q")) == "sub/mid.yaml:5"
    assert tree.where(("a", "y", "p")) == "sub/low.yaml:1"
    assert tree.where(("l", 0)) == "sub/mid.yaml:6"
    assert tree.where(("l", 2)) == "sub/mid.yaml:6", "the base's third entry is gone, and so is its line"
    assert tree.where(("s", "t")) == "sub/mid.yaml:7"
    assert tree.where(("nothing",)) == "my.yaml"


def test_base_may_be_a_preset(folder: Path) -> None:
    data = load("base: nano\nmodel: {input_size: 256}\n")
    assert data["model"].pop("input_size") == 256
    assert data == load_config("nano").data


def test_bases_that_lead_in_a_circle_are_refused(folder: Path) -> None:
    Path("a.yaml").write_text("base: b.yaml\n")
    Path("b.yaml").write_text("x: 1\nbase: a.yaml\n")
    with pytest.raises(
        InputError, match=r"^b\.yaml:2: base leads back to its own file: a\.yaml -> b\.yaml -> a\.yaml$"
    ):
        load_config("a.yaml")


def test_where_names_the_line_of_each_key(folder: Path) -> None:
    Path("my.yaml").write_text("# head\na:\n  b: 1\n  c:\n    - {d: 1}\n    - d: 2\n")
    tree = load_config(Path("my.yaml"), ["a.b=3", "a.c.1.d=4"])
    assert tree.where(("a",)) == "my.yaml:2"
    assert tree.where(("a", "b")) == "command line"
    assert tree.where(("a", "c", 0, "d")) == "my.yaml:5"
    assert tree.where(("a", "c", 1, "d")) == "command line"
    assert tree.where(("a", "missing")) == "my.yaml:2"
    assert tree.where(()) == "my.yaml"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("a.b=2", {"a": {"b": 2, "c": [{"d": 1}]}}),
        ("a.b=1e-3", {"a": {"b": 0.001, "c": [{"d": 1}]}}),
        ("a.b=x=y", {"a": {"b": "x=y", "c": [{"d": 1}]}}),
        ("a.b=", {"a": {"b": None, "c": [{"d": 1}]}}),
        ("a.c.0.d=2", {"a": {"b": 1, "c": [{"d": 2}]}}),
        ("a.c.0={e: 2}", {"a": {"b": 1, "c": [{"d": 1, "e": 2}]}}),
        ("a.c=[]", {"a": {"b": 1, "c": []}}),
        ("a={b: 5}", {"a": {"b": 5, "c": [{"d": 1}]}}),
        ("new.deep.key=1", {"a": {"b": 1, "c": [{"d": 1}]}, "new": {"deep": {"key": 1}}}),
    ],
)
def test_overrides(folder: Path, override: str, expected: dict) -> None:
    assert load("a: {b: 1, c: [{d: 1}]}", override) == expected


def test_the_last_override_wins(folder: Path) -> None:
    assert load("a: 1", "a=2", "a=3") == {"a": 3}


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train", ["key.sub=value", "'train'"]),
        ("=1", ["key.sub=value", "'=...'"]),
        ("a..b=1", ["key.sub=value", "'a..b=...'"]),
        ("a.b =1", ["key.sub=value", "'a.b =...'"]),
        ("a.b.c=1", ["a.b is the value 1", "'c'"]),
        ("a.c.1.d=1", ["a.c is a list", "0 to 0", "'1'"]),
        ("a.c.x=1", ["a.c is a list", "'x'"]),
        (f"a.c.{'9' * 5000}=1", ["a.c is a list", "0 to 0"]),
        (".t" + 5000 * "a", ["key.sub=value"]),
        ("a.c.-1=1", ["a.c is a list", "'-1'"]),
        ("a.e.0=1", ["a.e is a list", "empty"]),
        ("a.b=[1", ["not YAML", """a.b='"TEXT"'"""]),
        ("a.b=[v2] set", ["not YAML", "a.b", "goes in quotes"]),
        ("a={x: 1, x: 2}", ["a.x", "twice"]),
        ("base=nano", ["base stands in a file"]),
    ],
)
def test_wrong_overrides_are_named(folder: Path, override: str, parts: list[str]) -> None:
    found = message("a: {b: 1, c: [{d: 1}], e: []}", override)
    for part in ("command line: ", *parts):
        assert part in found


@pytest.mark.parametrize(
    "value", ["1e-3", "yes", "010", "1_000", "0x10", "null", "", "a: b", "- x", "1:30", " x ", "09", "zwölf", ".inf"]
)
def test_text_survives_a_dump(folder: Path, value: str) -> None:
    assert load(dump_yaml({"key": value, "list": [value, {"deep": value}]})) == {
        "key": value,
        "list": [value, {"deep": value}],
    }


@pytest.mark.parametrize("value", [1e-05, 0.1 + 0.2, 1e300, math.inf, 0, -3, True, None, [], {}, [1.0, 2]])
def test_values_survive_a_dump(folder: Path, value: object) -> None:
    loaded = load(dump_yaml({"key": value}))["key"]
    assert loaded == value
    assert type(loaded) is type(value)


def test_nearest_says_nothing_where_nothing_is_near() -> None:
    assert nearest("epoch", ["epochs", "batch"]) == ", did you mean 'epochs'?"
    assert nearest("zzz", ["epochs", "batch"]) == ""


def test_a_name_that_is_too_long_for_a_file_is_told_in_a_line(folder: Path) -> None:
    found = message(f"base: {5000 * 'x'}")
    assert "expected a YAML file or a preset" in found
    assert len(found) < 700


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"nano.*pico.*small"):
        preset_path("huge")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.text(max_size=8).filter(lambda text: text != "base")


@given(data=st.dictionaries(KEYS, PLAIN, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(dump_yaml(data), encoding="utf-8")
    tree = load_config(path)
    assert tree.data == data
    assert all(mark.startswith(str(path)) for mark in tree.marks.values())


@given(text=st.text(max_size=60))
def test_any_override_is_taken_or_refused_in_one_line(text: str) -> None:
    try:
        load_config("pico", [text])
    except InputError as error:
        said = str(error)
    else:
        return
    assert said
    assert "\n" not in said
