"""Chooses some of many rows, evenly: rows of an array, maps of a dataset, points of a space."""

import numpy as np

__all__ = ["spread_in_each", "spread_maps", "spread_over_simulations", "spread_points", "spread_rows"]


def spread_rows(num_rows, num_wanted):
    """Indices of at most `num_wanted` rows, evenly spread over all."""
    return np.unique(np.linspace(0, num_rows - 1, min(num_rows, num_wanted)).round().astype(int))


def spread_over_simulations(simulation, num_wanted):
    """Indices of at most so many rows: spread over simulations as evenly as possible, and at different places in them."""
    indices, position = np.unique(simulation, return_inverse=True)
    if num_wanted < len(indices):
        kept = spread_rows(len(indices), num_wanted)
        return np.array([np.roll(np.flatnonzero(position == index), -i)[0] for i, index in enumerate(kept)])
    turn = np.empty(len(position), int)
    for index in range(len(indices)):
        rows = np.flatnonzero(position == index)
        turn[np.roll(rows, -index)] = np.arange(len(rows))
    return np.sort(np.lexsort((position, turn))[:num_wanted])


def spread_maps(dataset, maps_per_simulation):
    """A dataset with at most so many maps of each simulation, evenly spread over them; None for all."""
    if maps_per_simulation is None:
        return dataset
    return dataset.select(spread_in_each(dataset.simulation, maps_per_simulation))


def spread_in_each(simulation, maps_per_simulation):
    """Indices of at most so many rows of each simulation, evenly spread over them, in order."""
    of_each = (np.flatnonzero(simulation == index) for index in np.unique(simulation))
    return np.sort(np.concatenate([rows[spread_rows(len(rows), maps_per_simulation)] for rows in of_each]))


def spread_points(points, num_wanted):
    """Indices of points `[S, P]` far from each other: first the most central one, then always the one farthest from these."""
    distance = np.linalg.norm(points, axis=1)
    chosen = [int(np.argmin(distance))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(num_wanted, len(points)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)
