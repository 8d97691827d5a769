import pytest

from fusedet.common.addresses import hide_secrets
from fusedet.configs import InputError
from fusedet.deploy.camera.sources.address import parse_address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://cam/stream", "rtsp://cam/stream"),
        ("rtsp://me:secret@cam:8554/a/b", "rtsp://cam:8554/a/b"),
        ("rtsp://secret@cam/a", "rtsp://cam/a"),
        ("rtsp://me:se%40cret%2F@cam/a", "rtsp://cam/a"),
        ("rtsp://me:se@cret@cam/a", "rtsp://cam/a"),
        ("rtsp://me:sec/ret@cam/a", "rtsp://***"),
        ("rtsp://me:sec?ret@cam/a", "rtsp://***"),
        ("rtsp://me:sec#ret@cam/a?b=secret", "rtsp://***"),
        ("rtsp://admin:12/34@cam/a", "rtsp://***"),
        ("rtsp://me:se[cret@cam/a", "rtsp://***"),
        ("rtsp://me:secret", "rtsp://***"),
        ("me:secret://secret@cam/a", "***://***"),
        ("me:sec/ret@cam/a", "***@cam/a"),
        ("rtsp:/me:secret@cam/a", "***@cam/a"),
        ("rtsp://cam/stream%402", "rtsp://cam/stream%402"),
        ("rtsp://[fe80::1]:554/a", "rtsp://[fe80::1]:554/a"),
        ("http://cam/v?secret", "http://cam/v?***"),
        ("http://cam/v?key=sec=ret&x", "http://cam/v?key=***&***"),
        ("rtsp://me:secret@[fe80::1]:554/a", "rtsp://[fe80::1]:554/a"),
        ("http://cam/v?user=me&token=secret#x", "http://cam/v?user=***&token=***#***"),
        ("http://me:secret@cam?a=secret", "http://cam?a=***"),
        (
            "rtsp://cam/user=admin_password=secret_channel=1_stream=0.sdp",
            "rtsp://cam/user=admin_password=***_channel=1_stream=0.sdp",
        ),
        ("rtsp://cam/user=admin&password=secret&channel=1", "rtsp://cam/user=admin&password=***&channel=1"),
        ("0", "0"),
        ("folder/a@b?c=d.png", "folder/a@b?c=d.png"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert hide_secrets(text) == shown


def test_an_address_is_taken_apart() -> None:
    address = parse_address("rtsp://me:secret@Cam.local:8554/live/ch1?key=secret")
    assert (address.host, address.port, address.has_login) == ("cam.local", 8554, True)
    assert address.label == "cam.local-8554-live-ch1"
    assert "secret" not in repr(address)
    assert [parse_address(f"{scheme}://a").port for scheme in ("rtsp", "rtsps", "http", "https")] == [554, 322, 80, 443]
    assert parse_address("http://[::1]/").label == "1"


@pytest.mark.parametrize("text", ["rtsp://me:sec/ret@cam/a", "rtsp://cam:port/a", "rtsp://me:se[cret@cam/a", "rtsp://"])
def test_wrong_addresses_are_told_without_their_password(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_address(text)
    assert "sec" not in str(caught.value)
    assert "se[cret" not in str(caught.value)
    assert caught.value.__cause__ is None
