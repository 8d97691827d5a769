"""The page in a real browser: what a user sees and does."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from fusedet.deploy.camera.events.places import Line, Places, Zone
from fusedet.deploy.camera.web.server import WebServer
from fusedet.deploy.detector.detections import Detections
from tests.deploy.camera.web.browser import CHROMIUM, Browser
from tests.deploy.camera.web.conftest import TOKEN
from tests.deploy.camera.web.memory_monitor import NAMES, Image, MemoryMonitor
from tests.deploy.camera.web.proxy import Proxy
from tests.deploy.camera.web.test_server import crossing
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

ZONE = Zone("step", ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6)))
CANVAS = "canvas.image"


@pytest.fixture(scope="module")
def desktop() -> Iterator[Browser]:
    browser = Browser(1280, 800)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def phone() -> Iterator[Browser]:
    browser = Browser(390, 844, mobile=True)
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def _no_problems(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test ends with an empty console, and leaves the page while its server still runs."""
    for name in {"server", "locked", "film_of_two"} & set(request.fixturenames):
        request.getfixturevalue(name)
    yield
    for name in {"desktop", "phone"} & set(request.fixturenames):
        browser: Browser = request.getfixturevalue(name)
        problems, browser.problems = browser.problems, []
        browser.open("about:blank")
        # Who signs out may have asked for something just before.
        locked = "locked" in request.fixturenames
        assert [problem for problem in problems if not (locked and "401" in problem)] == []


@contextmanager
def filming(monitor: MemoryMonitor, images: dict[str, Image], found: Detections | None = None) -> Iterator[None]:
    """Each camera gives its image ten times a second."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.1):
            for name, image in images.items():
                monitor.show(name, image, found)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.fixture
def film(monitor: MemoryMonitor) -> Iterator[None]:
    """A grey image with a car."""
    image: Image = np.full((360, 640, 3), (30, 90, 150), np.uint8)
    car = Detections(np.array([[64, 90, 320, 270]], np.float32), np.array([0.9], np.float32), np.array([2]), NAMES)
    with filming(monitor, dict.fromkeys(monitor.cameras, image), car):
        yield


def show(browser: Browser, server: WebServer, camera: str = "") -> None:
    """Opens the page and waits for images."""
    browser.open(f"{server.url}#{camera}")
    browser.wait_for("document.querySelector('.view')?.dataset.shown > 1")


def color_at(browser: Browser, x: float, y: float) -> list[int]:
    """RGB of the canvas at fractions of it."""
    return list(
        browser.run(f"""(() => {{ const c = document.querySelector("{CANVAS}");
        const one = new OffscreenCanvas(1, 1).getContext("2d", {{ willReadFrequently: true }});
        one.drawImage(c, -Math.floor({x} * c.width), -Math.floor({y} * c.height));
        return [...one.getImageData(0, 0, 1, 1).data].slice(0, 3); }})()""")
    )


def point(browser: Browser, x: float, y: float) -> tuple[float, float]:
    left, top, width, height = browser.box(CANVAS)
    return left + x * width, top + y * height


def text(browser: Browser, selector: str) -> str:
    return str(browser.run(f"document.querySelector({json.dumps(selector)}).textContent"))


def start_editing(browser: Browser) -> None:
    browser.wait_for("!document.querySelector('#edit').disabled")
    browser.click("#edit")
    browser.wait_for("!document.querySelector('#editor').hidden")


def test_it_draws_what_the_camera_sees(desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None) -> None:
    show(desktop, server)
    red, green, blue = color_at(desktop, 0.8, 0.3)
    assert abs(red - 150) < 12
    assert abs(green - 90) < 12
    assert abs(blue - 30) < 12
    assert color_at(desktop, 0.5, 0.5) != color_at(desktop, 0.8, 0.3)  # the box's right side
    desktop.wait_for("document.querySelector('#visible').textContent === '1 car'")
    assert text(desktop, "#health") == "All well"
    assert "nano · 320 × 320 · 10 classes" in text(desktop, "#model")
    assert text(desktop, "#score-now") == "0.25"
    assert text(desktop, "#sinks").startswith("events3 written")
    desktop.wait_for("document.querySelector('.tile .curve').getAttribute('d').includes('L')")
    assert desktop.run("document.documentElement.scrollWidth <= innerWidth")


def test_trouble_is_told_in_words(desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None) -> None:
    show(desktop, server)
    monitor.cameras["door"].update(state="waiting", error="no answer for 5 s")
    monitor.sinks["events"]["error"] = "disk full"
    monitor.trouble = "camera door: no answer for 5 s"
    desktop.wait_for("!document.querySelector('#trouble').hidden")
    assert text(desktop, "#trouble") == "camera door: no answer for 5 s"
    assert text(desktop, ".notice") == "The camera is opened again: no answer for 5 s"
    assert "disk full" in text(desktop, "#sinks")


def test_what_is_not_known_yet(desktop: Browser, server: WebServer, monitor: MemoryMonitor) -> None:
    monitor.cameras["door"].update(fps=None, inference_ms=None, age_ms=None, state="waiting", error=None)
    monitor.names = ()
    desktop.open(server.url)
    desktop.wait_for("document.querySelector('.notice')?.textContent.startsWith('The camera is opened again')")
    assert text(desktop, ".tile .number") == "–"
    assert desktop.run("document.querySelector('#edit').disabled")


def test_the_settings_act_at_once(desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None) -> None:
    show(desktop, server)
    left, top, width, height = desktop.box("#score")
    desktop.mouse(
        (left + 0.25 * width, top + height / 2),
        (left + 0.6 * width, top + height / 2),
        (left + 0.8 * width, top + height / 2),
    )
    wait_until(lambda: monitor.score > 0.7)
    assert text(desktop, "#score-now") == f"{monitor.score:.2f}"
    desktop.click("#classes summary")
    desktop.click("#classes button:last-of-type")  # none
    wait_until(lambda: monitor.classes == [])
    desktop.run("""(() => { const s = document.querySelector("#classes input[type=search]");
        s.value = "DO"; s.dispatchEvent(new Event("input")); })()""")
    shown = desktop.run("[...document.querySelectorAll('.classes li:not([hidden])')].map((item) => item.textContent)")
    assert shown == ["dog"]
    desktop.click(".classes li:not([hidden]) input")
    wait_until(lambda: monitor.classes == ["dog"])


def test_what_others_set_is_shown(desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None) -> None:
    show(desktop, server)
    monitor.set_score(0.61)
    monitor.set_classes(["cat"])
    monitor.set_places("door", Places((ZONE,)))
    desktop.wait_for("document.querySelector('#score-now').textContent === '0.61'")
    desktop.wait_for("document.querySelector('#score').value === '0.61'")
    desktop.wait_for("document.querySelector('#classes .value').textContent === 'cat'")


def test_drawing_a_zone(desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None) -> None:
    show(desktop, server)
    start_editing(desktop)
    assert desktop.run("document.querySelector('.unsaved').hidden")
    desktop.click("#new-zone")
    corners = [(0.1, 0.1), (0.5, 0.1), (0.5, 0.7), (0.1, 0.7)]
    for x, y in [*corners, corners[0]]:
        desktop.mouse(point(desktop, x, y))
    desktop.wait_for("!document.querySelector('.place').hidden")
    assert not desktop.run("document.querySelector('.unsaved').hidden")
    assert monitor.places("door") == Places()
    desktop.run("""(() => { const [name, dwell] = document.querySelectorAll(".place input");
        name.value = "front-door"; name.dispatchEvent(new Event("input"));
        dwell.value = "12.5"; dwell.dispatchEvent(new Event("input")); })()""")
    desktop.mouse(point(desktop, 0.5, 0.7), point(desktop, 0.55, 0.75), point(desktop, 0.6, 0.8))  # a corner
    desktop.click("#save-places")
    wait_until(lambda: monitor.places("door").zones)
    (zone,) = monitor.places("door").zones
    assert (zone.name, zone.dwell_s, zone.classes) == ("front-door", 12.5, None)
    assert np.allclose(zone.points, [(0.1, 0.1), (0.5, 0.1), (0.6, 0.8), (0.1, 0.7)], atol=0.005)
    desktop.wait_for("document.querySelector('#editor').hidden")


def test_drawing_a_line_and_its_direction(
    desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None
) -> None:
    show(desktop, server)
    start_editing(desktop)
    desktop.click("#new-line")
    desktop.mouse(point(desktop, 0.2, 0.5), point(desktop, 0.5, 0.5), point(desktop, 0.8, 0.5))
    desktop.wait_for("!document.querySelector('.place').hidden")
    below, above = color_at(desktop, 0.5, 0.53), color_at(desktop, 0.5, 0.47)
    assert below != above  # the arrow: from left to right, "in" is downwards
    assert below[0] > 200
    desktop.run(
        "[...document.querySelectorAll('.place button')].find((b) => b.textContent === 'Swap direction').click()"
    )
    assert color_at(desktop, 0.5, 0.47)[0] > 200
    desktop.click("#save-places")
    wait_until(lambda: monitor.places("door").lines)
    (line,) = monitor.places("door").lines
    assert line.name == "line-1"
    assert np.allclose([line.start, line.end], [(0.8, 0.5), (0.2, 0.5)], atol=0.005)


def test_moving_cancelling_and_deleting(
    desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None
) -> None:
    monitor.set_places("door", Places((ZONE,), (Line("gate", (0.8, 0.1), (0.8, 0.9)),)))
    show(desktop, server)
    start_editing(desktop)
    desktop.mouse(point(desktop, 0.4, 0.4), point(desktop, 0.45, 0.45), point(desktop, 0.5, 0.45))
    desktop.click("#cancel-places")
    desktop.wait_for("document.querySelector('#editor').hidden")
    assert monitor.places("door").zones == (ZONE,)
    start_editing(desktop)
    desktop.mouse(point(desktop, 0.4, 0.4), point(desktop, 0.45, 0.4), point(desktop, 0.5, 0.5))
    desktop.click(".chip.line")
    desktop.click("#delete-place")
    desktop.click("#save-places")
    wait_until(lambda: not monitor.places("door").lines)
    points = monitor.places("door").zones[0].points
    assert np.allclose(points, np.array(ZONE.points) + 0.1, atol=0.005)


def test_what_the_server_refuses_is_shown(
    desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None
) -> None:
    monitor.set_places("door", Places((ZONE,)))
    show(desktop, server)
    start_editing(desktop)
    desktop.click(".chip.zone")
    desktop.click("#delete-place")
    monitor.set_places("door", Places())  # somebody else
    desktop.click("#save-places")
    desktop.wait_for("document.querySelector('#editor .error').textContent.startsWith('somebody else has changed')")
    assert not desktop.run("document.querySelector('#editor').hidden")
    assert [problem for problem in desktop.problems if "412" not in problem] == []
    desktop.problems.clear()  # a browser logs each answer of 400 and more
    desktop.click("#cancel-places")


def test_a_finger_draws_as_well(phone: Browser, server: WebServer, monitor: MemoryMonitor, film: None) -> None:
    show(phone, server)
    assert phone.run("document.documentElement.scrollWidth <= innerWidth")
    start_editing(phone)
    phone.run("document.querySelector('#new-zone').click()")
    phone.run("scrollTo(0, 0)")
    for x, y in [(0.2, 0.2), (0.8, 0.2), (0.5, 0.8)]:
        phone.tap(point(phone, x, y))
    phone.run("[...document.querySelectorAll('#editor button')].find((b) => b.textContent === 'Done').click()")
    phone.run("document.querySelector('#save-places').click()")
    wait_until(lambda: monitor.places("door").zones)
    assert np.allclose(monitor.places("door").zones[0].points, [(0.2, 0.2), (0.8, 0.2), (0.5, 0.8)], atol=0.01)


def test_events_appear_by_themselves_and_stay_text(
    desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None
) -> None:
    show(desktop, server)
    hostile = "<img src=x onerror=alert(1)>"
    image = np.full((64, 96, 3), 120, np.uint8)
    monitor.add_event(crossing(1, label=hostile, place="gate", time=time.time()), image)
    desktop.wait_for("document.querySelectorAll('#events li').length === 1")
    assert text(desktop, "#events .says") == f"↘{hostile} crossed gate, in"
    desktop.wait_for("document.querySelector('#events img').naturalWidth === 96")
    assert desktop.run("document.querySelectorAll('#events img').length") == 1
    monitor.add_event(crossing(2, kind="enter", direction=None, time=time.time()), image)
    desktop.wait_for("document.querySelectorAll('#events li').length === 2")
    assert text(desktop, "#events .says") == "→person entered gate"
    desktop.click("#events .thumb")
    desktop.wait_for("document.querySelector('#viewer').open")
    desktop.click("#viewer-close")


def test_a_hidden_page_costs_nothing(desktop: Browser, server: WebServer, monitor: MemoryMonitor, film: None) -> None:
    show(desktop, server)
    desktop.run("""(() => { Object.defineProperty(document, "hidden", { value: true, configurable: true });
        document.dispatchEvent(new Event("visibilitychange")); })()""")
    wait_until(lambda: server._images.viewers == 0)
    time.sleep(0.2)
    encoded, processed = server._images.encoded, monitor.cameras["door"]["processed"]
    wait_until(lambda: monitor.cameras["door"]["processed"] > processed + 10)
    assert server._images.encoded == encoded
    desktop.run("""(() => { delete document.hidden; document.dispatchEvent(new Event("visibilitychange")); })()""")
    wait_until(lambda: server._images.encoded > encoded)


def test_several_cameras(desktop: Browser, film_of_two: WebServer) -> None:
    desktop.open(film_of_two.url)
    desktop.wait_for("[...document.querySelectorAll('.view')].filter((v) => v.dataset.shown > 1).length === 2")
    assert desktop.run("[...document.querySelectorAll('#tabs button')].map((b) => b.textContent)") == [
        "All",
        "door",
        "yard",
    ]
    desktop.click(".view:nth-child(2)")
    desktop.wait_for("document.querySelectorAll('.view').length === 1 && location.hash === '#yard'")
    desktop.wait_for("document.querySelector('.view').dataset.shown > 1")
    wait_until(lambda: film_of_two._images.viewers == 1)


@pytest.fixture
def film_of_two() -> Iterator[WebServer]:
    monitor = MemoryMonitor(("door", "yard"))
    server = WebServer(monitor, port=0)
    server.start()
    with filming(monitor, dict.fromkeys(monitor.cameras, np.full((90, 160, 3), 90, np.uint8))):
        yield server
    server.close()


def test_signing_in(desktop: Browser, locked: WebServer, monitor: MemoryMonitor, film: None) -> None:
    desktop.open(locked.url)
    desktop.run(f"document.querySelector('#token').value = {json.dumps(TOKEN)}")
    desktop.run("document.querySelector('form').requestSubmit()")
    desktop.wait_for("document.querySelector('.view')?.dataset.shown > 1")
    assert desktop.run("document.cookie") == ""
    assert not desktop.run("document.querySelector('#sign-out').hidden")
    assert [problem for problem in desktop.problems if "401" not in problem] == []
    desktop.problems.clear()
    desktop.run("document.querySelector('#sign-out').requestSubmit()")
    desktop.wait_for("Boolean(document.querySelector('#token'))")
    desktop.problems.clear()


@pytest.fixture
def mixed(monitor: MemoryMonitor) -> Iterator[None]:
    """A wide camera and a portrait one."""
    monitor.__init__(("street", "tall"))  # type: ignore[misc]
    images = {"street": np.full((180, 320, 3), 90, np.uint8), "tall": np.full((360, 202, 3), 150, np.uint8)}
    with filming(monitor, images):
        yield


def heights(browser: Browser) -> dict[str, list[float]]:
    """Camera -> width and height of its image, and height of its tile."""
    found = browser.run("""Object.fromEntries([...document.querySelectorAll(".view")].map((view) => {
        const image = view.querySelector("canvas").getBoundingClientRect();
        return [view.querySelector("canvas").getAttribute("aria-label"),
            [image.width, image.height, view.getBoundingClientRect().height]]; }))""")
    return {label.rpartition(" ")[2]: size for label, size in found.items()}


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_a_portrait_camera_is_not_higher_than_there_is_room(
    screen: str, server: WebServer, mixed: None, request: pytest.FixtureRequest
) -> None:
    browser: Browser = request.getfixturevalue(screen)
    show(browser, server)
    browser.wait_for("[...document.querySelectorAll('.view')].every((view) => view.dataset.shown > 1)")
    sizes = heights(browser)
    for name, ratio in (("street", 320 / 180), ("tall", 202 / 360)):
        width, height, tile = sizes[name]
        assert height <= 301
        assert abs(width / height - ratio) < 0.03
        assert tile - height < 60, "a tile is no higher than its image and its line below"
    browser.click(".view[title='Show tall']")
    browser.wait_for("document.querySelector('.view:not(.small)')?.dataset.shown > 1")
    assert heights(browser)["tall"][1] <= browser.run("innerHeight")


def test_the_page_works_below_a_path(desktop: Browser, locked: WebServer, monitor: MemoryMonitor, film: None) -> None:
    monitor.set_places("door", Places((ZONE,)))
    monitor.add_event(crossing("e1"), np.zeros((90, 160, 3), np.uint8))
    proxy = Proxy(locked.url)
    try:
        desktop.open(proxy.url)
        desktop.problems.clear()  # the answer to who has no token yet is 401
        desktop.run(f"document.querySelector('input[type=password]').value = {json.dumps(TOKEN)}")
        desktop.click("button[type=submit]")
        desktop.wait_for("document.querySelector('.view')?.dataset.shown > 1")
        assert desktop.run("location.href").startswith(proxy.url)
        desktop.wait_for("document.querySelector('.events img')?.naturalWidth > 0")
        assert desktop.run("getComputedStyle(document.querySelector('header')).position") == "sticky"
        desktop.click("#edit")
        desktop.wait_for("document.querySelector('#editor .chip')")
        desktop.click("#sign-out button")
        desktop.wait_for("document.querySelector('input[type=password]')")
        desktop.problems.clear()
    finally:
        desktop.open("about:blank")
        proxy.close()
