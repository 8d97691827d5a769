from dataclasses import replace
from pathlib import Path

import pytest

from fusedet.deploy.bench.contest import Entrant, Samples
from fusedet.deploy.bench.figures import Figures
from fusedet.deploy.bench.tune import candidates, choose, holds, largest_that_holds
from fusedet.deploy.bench.tuned import Tuned
from fusedet.deploy.detector.session import default_threads

MODEL = Path("model.onnx")


def taking(ms: float) -> Samples:
    """Ten runs of one length, all of it in the network."""
    return Samples(pre=[0.0] * 10, inference=[ms] * 10, post=[0.0] * 10, age=[ms] * 10, wall_s=1.0, cpu_s=1.0)


def tried(calm: dict[int, float], spinning: dict[int, float] | None = None) -> dict[Entrant, Samples]:
    """Threads -> milliseconds."""
    return {
        **{Entrant(MODEL, threads, False): taking(ms) for threads, ms in calm.items()},
        **{Entrant(MODEL, threads, True): taking(ms) for threads, ms in (spinning or {}).items()},
    }


@pytest.mark.parametrize(
    ("calm", "spinning", "wanted"),
    [
        ({1: 40, 2: 22, 3: 20, 4: 19.5}, {}, Tuned(3, False)),  # 20 is within 5 % of 19.5, 22 is not
        ({1: 40, 2: 41}, {2: 42}, Tuned(1, False)),
        ({1: 40, 2: 22}, {2: 20}, Tuned(2, True)),  # spinning gains a tenth
        ({1: 40, 2: 22}, {2: 21.5}, Tuned(2, False)),  # it gains less than 5 %
        ({1: 40, 2: 22, 4: 20}, {2: 21, 4: 14}, Tuned(4, True)),
        ({1: 10.4, 2: 10.3}, {2: 10.0}, Tuned(1, False)),  # neither a thread nor spinning is worth it
    ],
)
def test_latency_decides_without_a_camera(calm: dict[int, float], spinning: dict[int, float], wanted: Tuned):
    assert choose(tried(calm, spinning))[0] == wanted


def test_of_one_number_of_threads_only_spinning_is_chosen():
    assert choose(tried({2: 20}, {2: 10})) == (Tuned(2, True), "spinning gains more than 5 %")
    assert choose(tried({2: 20}, {2: 19.5})) == (Tuned(2, False), "spinning gains no more than 5 %")
    assert choose(tried({1: 20})) == (Tuned(1, False), "nothing else was tried")


def test_with_a_camera_the_fewest_threads_that_hold_its_rate_are_enough():
    tuned, reason = choose(tried({1: 40, 2: 22, 4: 12}, {2: 10, 4: 6}), fps=30)
    assert tuned == Tuned(2, False)  # a frame may take 26.7 ms
    assert "hold 30 frames/s" in reason


def test_with_a_camera_that_nothing_keeps_up_with_the_quickest_calm_ones_are_taken():
    tuned, reason = choose(tried({1: 40, 2: 22, 4: 21.5}, {4: 10}), fps=100)
    assert tuned == Tuned(2, False)
    assert "nothing holds 100 frames/s" in reason


def test_a_rate_is_held_with_a_fifth_to_spare():
    assert holds(taking(39.9), fps=20)
    assert not holds(taking(40.1), fps=20)


def test_threads_are_tried_up_to_the_cores_and_one_alone_has_nobody_to_spin_for():
    found = candidates(MODEL)
    assert [one.threads for one in found if not one.spinning] == list(range(1, default_threads() + 1))
    assert [one.threads for one in found if one.spinning] == list(range(2, default_threads() + 1))
    assert candidates(MODEL, threads=3) == [Entrant(MODEL, 3, False), Entrant(MODEL, 3, True)]


def test_the_largest_input_that_holds_the_rate():
    def figures(side: int, ms: float) -> Figures:
        entrant = replace(Entrant(MODEL, 1, False), model=Path(f"{side}.onnx"))
        return Figures(entrant, (side, side), "noise", 30.0, taking(ms))

    several = [figures(416, 40), figures(320, 24), figures(256, 15)]
    best = largest_that_holds(several, fps=30)
    assert best is not None
    assert best.entrant.model == Path("320.onnx")
    assert largest_that_holds(several, fps=200) is None
