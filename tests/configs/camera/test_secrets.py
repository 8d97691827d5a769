"""Passwords of every kind: a variable's is handed on as it is, one written down is clear or refused, none is shown."""

import os
import string
from pathlib import Path
from unittest import mock
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusedet.common.addresses import hide_in_text, hide_secrets, split_address
from fusedet.common.errors import InputError
from fusedet.configs.camera.config import CameraConfig, load_camera_config
from fusedet.configs.reader.loader import ConfigTree
from fusedet.configs.reader.validate import validate
from fusedet.configs.reader.variables import expand
from fusedet.deploy.camera.sources.address import parse_address

PRINTABLE = string.printable.strip() + " äß€"
PASSWORDS = st.text(PRINTABLE, min_size=1, max_size=24)
#: Between these, a part of a password is told from words of a message.
MARKED = PASSWORDS.map(lambda text: f"Qx7{text}Zk9")


def config_of(source: str, **more: object) -> CameraConfig:
    data = {"model": "nano", "cameras": {"door": {"source": source}}, **more}
    return validate(ConfigTree(data, "c.yaml", {}), CameraConfig)


def with_password(password: str, source: str, **more: object) -> CameraConfig:
    with mock.patch.dict(os.environ, {"PW": password}):
        return expand(config_of(source, **more))


def refusal_of(source: str) -> str | None:
    try:
        config_of(source)
    except InputError as error:
        return str(error)
    return None


def shows_nothing(text: str) -> bool:
    return "Qx7" not in text and "Zk9" not in text


@given(MARKED)
def test_a_password_of_a_variable_reaches_the_camera_and_nothing_else(password: str) -> None:
    source = with_password(password, "rtsp://admin:${PW}@cam.local:554/s?channel=1").cameras["door"].source
    address = parse_address(source)
    assert (address.host, address.port, unquote(address.parts.password or "")) == ("cam.local", 554, password)
    assert address.shown == "rtsp://cam.local:554/s?channel=***"
    assert shows_nothing(address.label)
    assert shows_nothing(hide_in_text(f"an error with {source} in it"))


@given(MARKED, MARKED)
def test_a_user_and_a_password_in_one_variable_part_at_the_first_colon(user: str, password: str) -> None:
    user = user.replace(":", "")
    source = with_password(f"{user}:{password}", "rtsp://${PW}@cam/s").cameras["door"].source
    parts = urlsplit(source)
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert parts.hostname == "cam"


@given(MARKED)
def test_a_password_that_is_written_down_is_clear_or_refused_and_never_shown(password: str) -> None:
    source = f"rtsp://admin:{password}@cam.local/s"
    assert shows_nothing(hide_secrets(source))
    assert shows_nothing(hide_in_text(f"camera door: {source}: gone"))
    refusal = refusal_of(source)
    if refusal is None:
        assert parse_address(source).host == "cam.local"
    else:
        assert "cameras.door.source" in refusal
        assert shows_nothing(refusal)


@given(MARKED)
def test_without_its_scheme_an_address_shows_nothing_either(password: str) -> None:
    for text in (f"admin:{password}@cam/s", f"rtsp:/admin:{password}@cam/s", f"//admin:{password}@cam/s"):
        assert shows_nothing(hide_secrets(text))


@given(MARKED)
def test_the_value_of_a_query_or_a_path_stays_one(password: str) -> None:
    for written in ("http://cam/v?token=${PW}&x=1", "rtsp://cam/user=me_password=${PW}_channel=1.sdp"):
        source = with_password(password, written).cameras["door"].source
        assert shows_nothing(parse_address(source).shown)
    assert password in unquote(source)


@given(MARKED)
def test_a_wrong_value_of_a_secret_is_not_quoted(password: str) -> None:
    for wrong in ([password], {password: 1}, {"a": password}):
        for key in ("password", "username"):
            with pytest.raises(InputError) as caught:
                config_of("0", outputs={"mqtt": {"host": "h", key: wrong}})
            assert shows_nothing(str(caught.value))
    for outputs in (
        {"mqtt": {"host": f"mqtt://me:{password}@broker"}},
        {"webhook": {"url": f"ftp://me:{password}@host/"}},
        {"webhook": {"url": "https://host/", "headers": {"A": [password]}}},
    ):
        with pytest.raises(InputError) as caught:
            config_of("0", outputs=outputs)
        assert shows_nothing(str(caught.value))


@pytest.mark.parametrize("password", ["12345678901", "12/34", "a#b", "a?b@c", "x@y/z", "[", "%zz", "a:b", "1 #2"])
def test_camera_files_that_people_write_show_nothing(tmp_path: Path, password: str) -> None:
    path = tmp_path / "c.yaml"
    for text in (
        f"cameras: rtsp://admin:{password}@cam/s",
        f"cameras: [rtsp://admin:{password}@cam/s]",
        f"cameras:\n  - rtsp://admin:{password}@cam/s",
        f"cameras:\n  door: rtsp://admin:{password}@cam/s",
        f"cameras:\n  rtsp://admin:{password}@cam/s:",
        f"cameras:\n  door: {{source: [rtsp://admin:{password}@cam/s]}}",
        f"outputs: {{mqtt: {{host: h, password: {password}, x: 1}}}}",
        f"serve: {{token: [{password}]}}",
    ):
        path.write_text("model: nano\n" + text + "\n")
        with pytest.raises(InputError) as caught:
            load_camera_config(path)
        assert password not in str(caught.value).replace(str(path), "")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        *((f"password: {begin}geheim ", ".*quotes") for begin in ("!", "*", "!!", "!x!")),
        ('!password: "geheim", topic: a', "a tag is not supported"),  # the tag takes the colon: a key
    ],
)
def test_a_tag_or_an_alias_that_is_a_password_is_not_quoted(written: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"model: nano\ncameras: {{}}\noutputs: {{mqtt: {{host: h, {written}}}}}\n")
    with pytest.raises(InputError, match=rf"c\.yaml:3: {told}") as caught:
        load_camera_config(path)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["outputs: {mqtt: {host: h, password: Qx7a,bZk9}}", "cameras: {a: {source: rtsp://u:Qx7a,bZk9@h/s, fps: 5}}"],
)
def test_what_stands_behind_a_comma_within_braces_may_be_a_part_of_a_secret(tmp_path: Path, line: str) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(f"model: nano\n{line}\n" + ("" if "cameras" in line else "cameras: {a: {source: 0}}\n"))
    with pytest.raises(InputError, match=r"camera.yaml:2: .*needs quotes") as caught:
        load_camera_config(path)
    assert "Zk9" not in str(caught.value)


def test_an_unknown_key_that_resembles_one_is_named_beside_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text("model: nano\ncameras: {a: {source: 0}}\noutputs: {mqtt: {hots: h, password: long}}\n")
    with pytest.raises(InputError, match="hots: unknown key, did you mean 'host'"):
        load_camera_config(path)


def test_a_variable_that_is_not_one_is_refused_and_what_one_holds_is_not_quoted() -> None:
    with pytest.raises(InputError, match=r"^cameras\.door\.source: expected \$\{NAME\}"):
        with_password("x", "rtsp://me:${MY-PW}@cam/s")
    with pytest.raises(InputError, match=r"outputs\.mqtt\.host: .*host alone") as caught:
        with_password("mqtt://secret@h", "0", outputs={"mqtt": {"host": "${PW}"}})
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match=r"outputs\.mqtt\.password: .*PW holds a line break"):
        with_password("secret\n", "0", outputs={"mqtt": {"host": "h", "password": "${PW}"}})
    with pytest.raises(InputError, match=r"serve\.token must have at least"):
        with_password("short", "0", serve={"token": "${PW}"})
    assert with_password("long enough", "0", serve={"token": "${PW}"}).serve is not None


def test_a_whole_address_may_stand_in_a_variable() -> None:
    config = with_password("rtsp://me:pa%2Fss@cam/s", "${PW}")
    assert split_address(config.cameras["door"].source).hostname == "cam"
    with pytest.raises(InputError, match=r"cameras\.door\.source: an at sign behind"):
        with_password("rtsp://me:pa/ss@cam/s", "${PW}")


def test_a_header_without_the_space_behind_its_colon_is_not_quoted() -> None:
    with pytest.raises(InputError, match=r"outputs\.webhook\.headers: must be text") as caught:
        config_of("0", outputs={"webhook": {"url": "https://h/", "headers": {"Authorization:Bearer geheim": None}}})
    assert "geheim" not in str(caught.value)
