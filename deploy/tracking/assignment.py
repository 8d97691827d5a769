"""Which of N rows goes to which of M columns, so that all together cost least."""

import numpy as np
from numpy.typing import NDArray


def assign_least_cost(cost: NDArray[np.float64], limit: float) -> list[tuple[int, int]]:
    """Pairs of rows and columns of ``cost`` ``[N, M]`` with the least sum; a pair above ``limit`` is not made.

    Shortest augmenting paths with potentials (Jonker and Volgenant, 1987), on a square of rows and columns in which
    staying alone costs ``limit``: N + M steps of O((N + M)^2), in numpy for a few hundred of each. An infinite cost is
    a pair that cannot be.
    """
    rows, columns = cost.shape
    if not rows or not columns:
        return []
    size = rows + columns
    square = np.full((size, size), limit / 2)  # a row and a column that both stay alone cost as much as one pair
    square[:rows, :columns] = np.where(cost <= limit, cost, np.inf)
    square[rows:, columns:] = 0.0
    # What cannot be costs more than everything else together: infinities would make the potentials undefined.
    square[~np.isfinite(square)] = size * (abs(limit) + 1.0)
    of_column = _assign(square)
    pairs = ((int(of_column[column]), column) for column in range(columns))
    return sorted((row, column) for row, column in pairs if row < rows and cost[row, column] <= limit)


def _assign(cost: NDArray[np.float64]) -> NDArray[np.intp]:
    """The row of each column in a square matrix; index 0 of the inner arrays stands for "none yet"."""
    size = len(cost)
    row_potential, column_potential = np.zeros(size + 1), np.zeros(size + 1)
    row_of = np.zeros(size + 1, np.intp)
    for row in range(1, size + 1):
        row_of[0], column = row, 0
        shortest, came_from = np.full(size + 1, np.inf), np.zeros(size + 1, np.intp)
        done = np.zeros(size + 1, bool)
        while row_of[column]:
            done[column] = True
            reduced = cost[row_of[column] - 1] - row_potential[row_of[column]] - column_potential[1:]
            nearer = ~done[1:] & (reduced < shortest[1:])
            shortest[1:][nearer], came_from[1:][nearer] = reduced[nearer], column
            open_columns = np.flatnonzero(~done)
            following = open_columns[shortest[open_columns].argmin()]
            step = shortest[following]
            row_potential[row_of[done]] += step
            column_potential[done] -= step
            shortest[~done] -= step
            column = int(following)
        while column:
            row_of[column] = row_of[came_from[column]]
            column = int(came_from[column])
    return row_of[1:] - 1
