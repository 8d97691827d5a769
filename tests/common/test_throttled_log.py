"""Trouble that repeats itself does not fill the log."""

import logging

import pytest

from fusedet.common.throttled_log import ThrottledLog, Trouble

LOG = logging.getLogger("camera")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_one_line_a_minute_says_how_often_it_came(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    log = ThrottledLog(LOG, clock=clock)
    for second in range(121):
        clock.now_s = second
        assert log.warning("door", "door: broken") == (second % 60 == 0)
    again = "door: broken (59 more times in 60 s)"
    assert said(caplog) == ["door: broken", again, again]


def test_each_kind_has_its_own_minute(caplog: pytest.LogCaptureFixture) -> None:
    log = ThrottledLog(LOG, clock=Clock())
    for number in range(3):
        log.warning(number, f"camera {number}")
        log.warning(number, f"camera {number}")
    assert said(caplog) == ["camera 0", "camera 1", "camera 2"]


def test_what_comes_and_goes_is_said_once_a_minute_and_what_lasts_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    trouble = Trouble(LOG, clock=clock)
    for _ in range(100):
        trouble.tell("broker: refuses")
        trouble.over("broker: takes again")
    assert said(caplog) == ["broker: refuses", "broker: takes again"]
    for second in range(1000):
        clock.now_s = second
        trouble.tell("broker: silent")
    assert len(said(caplog)) == 3
    assert said(caplog)[-1].startswith("broker: silent")
    assert trouble.is_told
