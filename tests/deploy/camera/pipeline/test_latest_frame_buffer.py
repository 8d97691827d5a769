import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fusedet.deploy.camera.pipeline.latest_frame_buffer import LatestFrameBuffer
from fusedet.deploy.camera.sources import Frame


def frame(index: int) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), "camera", "camera", index, None)


def taken(buffer: LatestFrameBuffer) -> tuple[str, int] | None:
    found = buffer.take(0)
    return None if found is None else (found[0], found[1].index)


def test_cameras_are_served_in_turn() -> None:
    buffer = LatestFrameBuffer(["a", "b", "c"])
    order = []
    for index in range(6):
        for camera in ("a", "b", "c"):
            buffer.put(camera, frame(index), newest=True)
        order.append(buffer.take(0))
    assert [found[0] for found in order if found] == ["a", "b", "c", "a", "b", "c"]


def test_a_file_waits_for_room() -> None:
    buffer = LatestFrameBuffer(["a"])
    buffer.put("a", frame(0), newest=False)
    buffer.put("a", frame(1), newest=False)
    put = threading.Event()

    def put_third() -> None:
        buffer.put("a", frame(2), newest=False)
        put.set()

    thread = threading.Thread(target=put_third)
    thread.start()
    assert not put.wait(0.05)
    assert taken(buffer) == ("a", 0)
    assert put.wait(60)
    thread.join()
    assert [taken(buffer), taken(buffer)] == [("a", 1), ("a", 2)]
    assert buffer.dropped("a") == 0


def test_after_the_end_nothing_is_taken_but_what_was_there() -> None:
    buffer = LatestFrameBuffer(["a"])
    buffer.put("a", frame(0), newest=True)
    buffer.close()
    assert not buffer.put("a", frame(1), newest=True)
    assert taken(buffer) == ("a", 0)
    assert buffer.take(60) is None  # at once
    assert buffer.dropped("a") == 1


def test_the_end_frees_who_waits() -> None:
    buffer = LatestFrameBuffer(["a"])
    buffer.put("a", frame(0), newest=False)
    buffer.put("a", frame(1), newest=False)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(buffer.put("a", frame(2), newest=False)))
    thread.start()
    buffer.close()
    thread.join(60)
    assert answers == [False]


@given(st.lists(st.sampled_from(["put a", "put b", "take"]), max_size=60))
def test_every_frame_is_taken_dropped_or_waits(steps: list[str]) -> None:
    buffer = LatestFrameBuffer(["a", "b"])
    put = {"a": 0, "b": 0}
    seen = {"a": -1, "b": -1}
    count = {"a": 0, "b": 0}
    for step in steps:
        if step == "take":
            found = buffer.take(0)
            if found is not None:
                camera, got = found
                assert got.index > seen[camera]
                seen[camera] = got.index
                count[camera] += 1
        else:
            camera = step[-1]
            buffer.put(camera, frame(put[camera]), newest=True)
            put[camera] += 1
    while (found := buffer.take(0)) is not None:
        count[found[0]] += 1
    assert all(put[c] == count[c] + buffer.dropped(c) for c in put)
