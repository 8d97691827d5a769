import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fusedet.deploy.camera.pipeline.inbox import Inbox
from fusedet.deploy.camera.sources import Frame


def frame(index: int) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), "camera", "camera", index, None)


def taken(inbox: Inbox) -> tuple[str, int] | None:
    found = inbox.take(0)
    return None if found is None else (found[0], found[1].index)


def test_the_newest_frame_replaces_the_one_that_waits() -> None:
    inbox = Inbox(["a"])
    for index in range(3):
        assert inbox.put("a", frame(index), newest=True)
    assert taken(inbox) == ("a", 2)
    assert taken(inbox) is None
    assert inbox.dropped("a") == 2


def test_cameras_are_served_in_turn() -> None:
    inbox = Inbox(["a", "b", "c"])
    order = []
    for index in range(6):
        for camera in ("a", "b", "c"):
            inbox.put(camera, frame(index), newest=True)
        order.append(inbox.take(0))
    assert [found[0] for found in order if found] == ["a", "b", "c", "a", "b", "c"]


def test_a_file_waits_for_room() -> None:
    inbox = Inbox(["a"])
    inbox.put("a", frame(0), newest=False)
    inbox.put("a", frame(1), newest=False)
    put = threading.Event()

    def put_third() -> None:
        inbox.put("a", frame(2), newest=False)
        put.set()

    thread = threading.Thread(target=put_third)
    thread.start()
    assert not put.wait(0.05)
    assert taken(inbox) == ("a", 0)
    assert put.wait(10)
    thread.join()
    assert [taken(inbox), taken(inbox)] == [("a", 1), ("a", 2)]
    assert inbox.dropped("a") == 0


def test_after_the_end_nothing_is_taken_but_what_was_there() -> None:
    inbox = Inbox(["a"])
    inbox.put("a", frame(0), newest=True)
    inbox.close()
    assert not inbox.put("a", frame(1), newest=True)
    assert taken(inbox) == ("a", 0)
    assert inbox.take(60) is None  # at once
    assert inbox.dropped("a") == 1


def test_the_end_frees_who_waits() -> None:
    inbox = Inbox(["a"])
    inbox.put("a", frame(0), newest=False)
    inbox.put("a", frame(1), newest=False)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(inbox.put("a", frame(2), newest=False)))
    thread.start()
    inbox.close()
    thread.join(10)
    assert answers == [False]


@given(st.lists(st.sampled_from(["put a", "put b", "take"]), max_size=60))
def test_every_frame_is_taken_dropped_or_waits(steps: list[str]) -> None:
    inbox = Inbox(["a", "b"])
    put = {"a": 0, "b": 0}
    seen = {"a": -1, "b": -1}
    count = {"a": 0, "b": 0}
    for step in steps:
        if step == "take":
            found = inbox.take(0)
            if found is not None:
                camera, got = found
                assert got.index > seen[camera]
                seen[camera] = got.index
                count[camera] += 1
        else:
            camera = step[-1]
            inbox.put(camera, frame(put[camera]), newest=True)
            put[camera] += 1
    while (found := inbox.take(0)) is not None:
        count[found[0]] += 1
    assert all(put[c] == count[c] + inbox.dropped(c) for c in put)
