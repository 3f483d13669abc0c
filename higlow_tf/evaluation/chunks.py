"""Density and sampling of many maps: in chunks, so that memory stays small, with progress."""

import contextlib
import warnings

import numpy as np

from higlow_tf.errors import InputWarning

__all__ = ["generate_in_chunks", "log_prob_in_chunks", "spread_rows", "warn_outside"]

_CHUNK = 256


def warn_outside(parameters, theta):
    """Warns once if parameters lie outside the prior, and says by how much."""
    outside = parameters.describe_outside(theta)
    if outside:
        warnings.warn(f"The model extrapolates: {outside}.", InputWarning, stacklevel=2)


def log_prob_in_chunks(model, hi_maps, theta, progress):
    """Log-density of each log10 map, `[N, H, W]`, `[N, P]` -> `[N]`, total nats."""
    log_prob = np.empty(len(hi_maps))
    for rows in _chunks(len(hi_maps)):
        with _without_warnings():
            log_prob[rows] = model.log_prob(np.asarray(hi_maps[rows]), theta[rows])
        progress(rows.stop, len(hi_maps))
    return log_prob


def generate_in_chunks(model, theta, *, seed, progress, temperature=1.0):
    """Yields `(rows, maps)`: one map for each row of theta, the same as `model.sample` gives for all rows at once."""
    for rows in _chunks(len(theta)):
        with _without_warnings():
            maps = model.sample(theta[rows], seed, temperature, first_row=rows.start).numpy()
        yield rows, maps
        progress(rows.stop, len(theta))


def spread_rows(num_rows, num_wanted):
    """Indices of at most `num_wanted` rows, evenly spread over all."""
    return np.unique(np.linspace(0, num_rows - 1, min(num_rows, num_wanted)).round().astype(int))


def _chunks(num_rows):
    return [slice(start, min(start + _CHUNK, num_rows)) for start in range(0, num_rows, _CHUNK)]


@contextlib.contextmanager
def _without_warnings():
    """The model warns of every chunk outside the prior; `warn_outside` has looked at all rows at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        yield
