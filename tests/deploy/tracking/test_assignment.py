"""The cheapest pairs, found by trying all of them."""

from itertools import permutations

import numpy as np
import pytest

from fusedet.deploy.tracking.assignment import assign_least_cost


def cheapest(cost: np.ndarray, limit: float) -> float:
    """Least cost of all ways to pair rows and columns; each that stays alone costs half a limit."""
    rows, columns = cost.shape
    best = np.inf
    places = [*range(columns), *[None] * rows]
    for choice in set(permutations(places, rows)):
        pairs = [(row, column) for row, column in enumerate(choice) if column is not None]
        if all(cost[pair] <= limit for pair in pairs):
            alone = rows + columns - 2 * len(pairs)
            best = min(best, sum(cost[pair] for pair in pairs) + alone * limit / 2)
    return best


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_cheaper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 5, 2)
    cost, limit = rng.uniform(0, 1, (rows, columns)), rng.uniform(0.2, 1.0)
    cost[rng.random((rows, columns)) < 0.2] = np.inf

    pairs = assign_least_cost(cost, limit)

    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(cost[pair] <= limit for pair in pairs)
    alone = rows + columns - 2 * len(pairs)
    assert sum(cost[pair] for pair in pairs) + alone * limit / 2 == pytest.approx(cheapest(cost, limit))


@pytest.mark.parametrize(
    ("cost", "limit", "pairs"),
    [
        ([[0.1, 0.2], [0.2, 0.9]], 1.0, [(0, 1), (1, 0)]),  # the nearest first would leave 0.1 + 0.9
        ([[0.1, 0.2], [0.2, 0.9]], 0.15, [(0, 0)]),
        ([[0.49]], 0.5, [(0, 0)]),
        ([[0.6]], 0.5, []),
        ([[np.inf, np.inf]], 0.5, []),
        ([[0.3], [0.2], [0.4]], 0.5, [(1, 0)]),
    ],
)
def test_by_hand(cost: list[list[float]], limit: float, pairs: list[tuple[int, int]]) -> None:
    assert assign_least_cost(np.array(cost), limit) == pairs


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_nothing_to_pair(shape: tuple[int, int]) -> None:
    assert assign_least_cost(np.zeros(shape), 1.0) == []


def test_two_hundred_of_each_in_no_order() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(100)
    cost = rng.uniform(0.5, 1.0, (100, 100))
    cost[np.arange(100), order] = 0.1

    assert assign_least_cost(cost, 0.8) == list(enumerate(order.tolist()))
