"""Against a real broker: every event comes, in order, whoever is ended and started again in between."""

import json
import logging
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fusedet.common.errors import InputError
from fusedet.deploy.camera.events.event import Event
from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.sinks.mqtt.connection import MqttSettings
from fusedet.deploy.camera.sinks.mqtt.sink import Mqtt
from fusedet.deploy.camera.sinks.mqtt.state import counts_record
from tests import ROOT
from tests.deploy.camera.sinks.results import make_event, make_result
from tests.deploy.camera.sinks.servers import MOSQUITTO, Broker, Listener, free_port
from tests.waiting import wait_until

needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
PLACES = Places(
    (Zone("step", ((0.1, 0.5), (0.9, 0.5), (0.5, 1.0))),),
    (Line("gate", (0.1, 0.5), (0.9, 0.5)),),
)
COUNTS = {
    "step": {"inside": {"cat": 1, "dog": 1}, "enter": {"cat": 3, "dog": 1}, "leave": {"cat": 2}, "dwell": {}},
    "gate": {"in": {"cat": 2}, "out": {}},
}


def open_mqtt(folder: Path, port: int, first_wait_s: float = 0.05, **settings: Any) -> Mqtt:
    usual: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "username": None,
        "password": None,
        "tls": None,
        "topic": "home/fusedet",
        "discovery": None,
        "queue": folder / "queue",
        "queue_events": 10_000,
    }
    cameras = settings.pop("cameras", {"door": PLACES})
    return Mqtt(MqttSettings(**{**usual, **settings}), cameras, first_wait_s)


def tell(sink: Mqtt, *numbers: int, camera: str = "door") -> list[Event]:
    events = [make_event(number, camera) for number in numbers]
    for event in events:
        sink.write(make_result(camera=camera, events=(event,)))
    return events


def without_repeats(texts: list[str]) -> list[int]:
    """The tracks of events, each event once, in the order in which they first came."""
    records = {record["id"]: record["track"] for record in map(json.loads, texts)}
    return list(records.values())


@needs_broker
def test_events_arrive_as_they_are(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        sink = open_mqtt(tmp_path, broker.port)
        events = tell(sink, *range(100))
        [other] = tell(sink, 7, camera="yard")
        wait_until(lambda: listener.of("home/fusedet/yard/events"))
        sink.close()
        wait_until(lambda: listener.of("home/fusedet/status")[-1] == "offline")

    assert [json.loads(text) for text in listener.of("home/fusedet/door/events")] == [e.to_record() for e in events]
    assert [json.loads(text) for text in listener.of("home/fusedet/yard/events")] == [other.to_record()]
    assert listener.of("home/fusedet/status") == ["online", "offline"]
    assert (sink.waiting, sink.dropped, sink.error) == (0, 0, None)


@needs_broker
@pytest.mark.parametrize("seconds", [1.0, pytest.param(30.0, marks=pytest.mark.slow)])
def test_a_broker_that_is_away_misses_nothing(seconds: float, tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        sink = open_mqtt(tmp_path, broker.port)
        tell(sink, *range(50))
        broker.stop()
        wait_until(lambda: sink.error)
        until = time.monotonic() + seconds
        number = 50
        while time.monotonic() < until:
            tell(sink, number)
            number += 1
            time.sleep(0.02)
        assert sink.waiting >= number - 50
        broker.start()
        tell(sink, number, number + 1)
        wait_until(lambda: len(set(listener.of("home/fusedet/door/events"))) == number + 2)
        wait_until(lambda: sink.error is None and sink.waiting == 0)
        assert listener.of("home/fusedet/status")[-1] == "online"
        sink.close()

    assert without_repeats(listener.of("home/fusedet/door/events")) == list(range(number + 2))
    assert sink.dropped == 0


@needs_broker
def test_what_the_broker_did_not_confirm_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusedet.deploy.camera.sinks.mqtt.conversation._CONFIRM_S", 0.3)
    monkeypatch.setattr("fusedet.deploy.camera.sinks.delivery._LAST_S", 0.3)
    with Broker(tmp_path) as broker:
        sink = open_mqtt(tmp_path, broker.port, first_wait_s=60)
        with Listener(broker.port) as listener:
            wait_until(lambda: listener.of("home/fusedet/status"))
        broker.freeze()
        tell(sink, *range(50))
        wait_until(lambda: sink.error)
        assert "the broker has confirmed nothing for 0.3 s" in str(sink.error)
        assert sink.waiting == 50
        sink.close()
        broker.kill()
        broker.start()
        with Listener(broker.port) as listener:
            sink = open_mqtt(tmp_path, broker.port)
            wait_until(lambda: len(listener.of("home/fusedet/door/events")) == 50)
            sink.close()

    assert without_repeats(listener.of("home/fusedet/door/events")) == list(range(50))


KILLED = """
import sys, time
from pathlib import Path
from tests.deploy.camera.sinks.mqtt.test_sink import open_mqtt, tell
sink = open_mqtt(Path(sys.argv[1]), int(sys.argv[2]), queue_events=10**6)
number = int(sys.argv[3])
while True:
    tell(sink, number)
    number += 1
    print(number, flush=True)
    time.sleep(0.001)
"""


def publish_until_killed(folder: Path, port: int, first: int, enough: Callable[[int], Any]) -> int:
    """A process of its own publishes from ``first`` on, and is killed; the number after the last that it put in."""
    command = [sys.executable, "-c", KILLED, str(folder), str(port), str(first)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = first
    while not enough(said):
        said = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    return int(rest.split()[-1]) if rest.endswith("\n") else said


@needs_broker
def test_a_killed_process_and_a_broker_that_is_away_lose_nothing(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        events = "home/fusedet/door/events"
        here = publish_until_killed(tmp_path, broker.port, 0, lambda _: len(listener.of(events)) > 100)
        wait_until(lambda: "offline" in listener.of("home/fusedet/status"))  # the last will
        broker.stop()
        away = publish_until_killed(tmp_path, broker.port, 1_000_000, lambda said: said > 1_000_300)
        broker.start()
        sink = open_mqtt(tmp_path, broker.port)
        wait_until(lambda: not sink.waiting)
        tell(sink, 9_999_999)
        wait_until(lambda: without_repeats(listener.of(events))[-1:] == [9_999_999])
        sink.close()

    came = without_repeats(listener.of(events))
    # What was put in, and at most one more each, which was put in but not told any more.
    expected = [*range(here), *range(1_000_000, away)]
    assert [number for number in came if number not in (here, away, 9_999_999)] == expected


@needs_broker
def test_the_oldest_are_given_up_when_the_queue_is_full(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    sink = open_mqtt(tmp_path, broker.port, queue_events=30)
    tell(sink, *range(100))
    assert (sink.waiting, sink.dropped) == (30, 70)
    with broker, Listener(broker.port) as listener:
        wait_until(lambda: not sink.waiting)
        tell(sink, 100)
        wait_until(lambda: without_repeats(listener.of("home/fusedet/door/events"))[-1:] == [100])
        sink.close()

    assert sink.dropped == 70


@needs_broker
def test_a_wrong_password_is_said_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passwords = tmp_path / "passwords"
    assert shutil.which("mosquitto_passwd") is not None
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "anna", "right"], check=True)
    with Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        with caplog.at_level(logging.INFO):
            sink = open_mqtt(tmp_path, broker.port, username="anna", password="wr0ng-secret")
            tell(sink, 1)
            wait_until(lambda: sink.error)
            attempts = sink._wait_s
            wait_until(lambda: sink._wait_s > attempts)
            sink.close()
        assert "the broker refuses: Not authorized" in str(sink.error)
        assert sink.waiting == 1
        assert len(caplog.records) == 1
        assert "wr0ng-secret" not in caplog.text
        with Listener(broker.port, "anna", "right") as listener:
            sink = open_mqtt(tmp_path, broker.port, username="anna", password="right")
            wait_until(lambda: listener.of("home/fusedet/door/events"))
            sink.close()


def test_nobody_there_holds_nobody_up(tmp_path: Path) -> None:
    port = free_port()
    start = time.monotonic()
    sink = open_mqtt(tmp_path, port)
    tell(sink, *range(200))
    assert time.monotonic() - start < 20
    wait_until(lambda: sink.error)
    sink.close()

    assert (sink.error, sink.waiting) == (f"127.0.0.1:{port}: Connection refused", 200)


@pytest.mark.parametrize(("silent", "error"), [(True, "no answer within 0.2 s"), (False, "before an answer")])
def test_what_is_no_broker_is_said(tmp_path: Path, silent: bool, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusedet.deploy.camera.sinks.mqtt.connection._CONNECT_S", 0.2 if silent else 10)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sink = open_mqtt(tmp_path, listener.getsockname()[1], first_wait_s=60)
        connection, _ = listener.accept()
        if not silent:
            connection.close()
        wait_until(lambda: sink.error)
        sink.close()
        connection.close()

    assert error in str(sink.error)


@needs_broker
def test_counts_are_told_when_they_change_and_kept(tmp_path: Path) -> None:
    topic = "home/fusedet/door/counts"
    with Broker(tmp_path) as broker:
        sink = open_mqtt(tmp_path, broker.port)
        with Listener(broker.port) as listener:
            for counts in ({}, COUNTS, COUNTS, COUNTS):
                sink.write(make_result(counts=counts))
            wait_until(lambda: listener.of(topic))
            more = {**COUNTS, "gate": {"in": {"cat": 3}, "out": {}}}
            sink.write(make_result(counts=more))
            wait_until(lambda: len(listener.of(topic)) == 2)
        sink.close()
        with Listener(broker.port) as late:
            wait_until(lambda: late.last(topic))

    assert json.loads(listener.of(topic)[0]) == counts_record(COUNTS)
    assert late.last(topic) == counts_record(more)
    assert counts_record(more) == {
        "step": {"inside": 2, "enter": 4, "leave": 2, "dwell": 0, "classes": COUNTS["step"]},
        "gate": {"in": 3, "out": 0, "classes": more["gate"]},
    }


def entities(listener: Listener) -> dict[str, Any]:
    """What Home Assistant knows now, by topic."""
    topics = {name for name, _ in list(listener.messages) if name.startswith("homeassistant/") and "/config" in name}
    return {topic: listener.last(topic) for topic in sorted(topics) if listener.last(topic) is not None}


@needs_broker
def test_home_assistant_finds_the_places(tmp_path: Path) -> None:
    node = "home-fusedet_door"
    expected = [
        f"homeassistant/binary_sensor/{node}/step-occupied/config",
        f"homeassistant/sensor/{node}/gate-in/config",
        f"homeassistant/sensor/{node}/gate-out/config",
        f"homeassistant/sensor/{node}/step-inside/config",
    ]
    stale = f"homeassistant/sensor/{node}/old-in/config"
    others = "homeassistant/sensor/other_door/old-in/config"
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        listener.say(stale, "{}", retain=True)
        listener.say(others, "{}", retain=True)
        sink = open_mqtt(tmp_path, broker.port, discovery="homeassistant")
        wait_until(lambda: sorted([*expected, others]) == sorted(entities(listener)))
        known = entities(listener)
        assert len({known[topic]["unique_id"] for topic in expected}) == 4
        assert known[expected[0]] == {
            "name": "step occupied",
            "unique_id": "home-fusedet_door_step-occupied",
            "state_topic": "home/fusedet/door/counts",
            "device_class": "occupancy",
            "value_template": "{{ 'ON' if value_json['step']['inside'] > 0 else 'OFF' }}",
            "availability_topic": "home/fusedet/status",
            "device": {"identifiers": [node], "name": "door (home/fusedet)", "manufacturer": "fusedet"},
            "origin": {"name": "fusedet"},
        }

        before = len(listener.of(expected[0]))
        listener.say("homeassistant/status", "online")
        wait_until(lambda: len(listener.of(expected[0])) == before + 1)

        sink.set_places("door", Places(PLACES.zones))
        wait_until(lambda: len(entities(listener)) == 3)
        sink.close()

    assert sorted(entities(listener)) == sorted([expected[0], expected[3], others])


def retained(port: int) -> dict[str, str]:
    """Topic -> message, as somebody finds them who comes now."""
    with Listener(port, client="late") as late:
        late.say("end", "of what was retained")
        wait_until(lambda: late.of("end"))
        return {topic: text for topic, text in late.messages if topic != "end"}


@needs_broker
def test_a_camera_that_was_removed_takes_its_counts_and_entities_with_it(tmp_path: Path) -> None:
    theirs = {"origin": {"name": "lamp"}, "availability_topic": "home/fusedet/status"}
    elsewhere = {"origin": {"name": "fusedet"}, "availability_topic": "cams/status"}
    others = {
        "homeassistant/sensor/lamp/power/config": json.dumps(theirs),
        "homeassistant/sensor/cams_yard/gate-in/config": json.dumps(elsewhere),
        "home/fusedet/garage/counts": '{"doors": 3}',
        "home/fusedet/garden/counts": "[1",
    }
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        for topic, text in others.items():
            listener.say(topic, text, retain=True)
        before = open_mqtt(tmp_path, broker.port, discovery="homeassistant", cameras={"door": PLACES, "yard": PLACES})
        for camera in ("door", "yard"):
            before.write(make_result(camera=camera, counts=COUNTS))
        wait_until(lambda: {"home/fusedet/yard/counts", *others} < retained(broker.port).keys())
        wait_until(lambda: len(entities(listener)) == 10)
        before.close()

        renamed = {"door": Places((Zone("porch", PLACES.zones[0].points),), PLACES.lines)}
        after = open_mqtt(tmp_path, broker.port, discovery="homeassistant", cameras=renamed)
        counts = {"porch": COUNTS["step"], "gate": COUNTS["gate"]}
        after.write(make_result(camera="door", counts=counts))
        zone = ("binary_sensor/home-fusedet_door/porch-occupied", "sensor/home-fusedet_door/porch-inside")
        line = ("sensor/home-fusedet_door/gate-in", "sensor/home-fusedet_door/gate-out")
        of_door = {f"homeassistant/{place}/config" for place in (*zone, *line)}
        left = {*others, *of_door, "home/fusedet/door/counts", "home/fusedet/status"}
        wait_until(lambda: retained(broker.port).keys() == left)
        wait_until(lambda: json.loads(retained(broker.port)["home/fusedet/door/counts"]) == counts_record(counts))
        assert others.items() <= retained(broker.port).items()

        after.set_places("door", Places())
        wait_until(lambda: retained(broker.port).keys() == {*others, "home/fusedet/status"})
        after.close()
    assert listener.of("home/fusedet/status") == ["online", "offline", "online", "offline"]


@needs_broker
def test_without_discovery_counts_of_removed_cameras_go_as_well(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        listener.say("home/fusedet/yard/counts", json.dumps(counts_record(COUNTS)), retain=True)
        sink = open_mqtt(tmp_path, broker.port)
        wait_until(lambda: listener.of("home/fusedet/yard/counts")[-1] == "")
        sink.close()


@needs_broker
def test_a_second_start_is_not_said_to_be_offline(tmp_path: Path) -> None:
    """The broker tells the last will of a board that lost its power only when it is back: under the same name."""
    with Broker(tmp_path) as broker, Listener(broker.port) as listener:
        first = open_mqtt(tmp_path, broker.port)
        wait_until(lambda: listener.of("home/fusedet/status") == ["online"])
        second = open_mqtt(tmp_path, broker.port, queue=tmp_path / "other", first_wait_s=60)
        wait_until(lambda: listener.of("home/fusedet/status")[1:3] == ["offline", "online"])
        second.close()
        first.close()


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusedet.deploy.camera.sinks.mqtt.sink.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"install fusedet\[mqtt\]"):
        open_mqtt(tmp_path, 1883)
    assert not (tmp_path / "queue").exists()
