"""The posterior of some of the parameters."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from higlow_tf.data.parameters import ParameterSpace, nearest_name
from higlow_tf.errors import InputError
from higlow_tf.inference.cells import Cells, log_normalized, peak

__all__ = ["marginal"]


def marginal(posterior, names):
    """Integrates the other parameters out.

    Args:
        posterior: `Posterior`.
        names: One name, or several in the order that is wanted.

    Returns:
        `Posterior`.

    Raises:
        InputError: If a name is unknown or occurs twice.
    """
    columns = _columns(posterior.parameters.names, [names] if isinstance(names, str) else list(names))
    kept = {
        "parameters": ParameterSpace(tuple(posterior.parameters.specs[column] for column in columns)),
        "prior": _prior_of(posterior.prior, [posterior.parameters.names[column] for column in columns]),
        "boxes": posterior.boxes[..., columns],
        "diagnostics": {
            key: value[:, columns] if np.ndim(value) == 2 else value for key, value in posterior.diagnostics.items()
        },
    }
    if posterior.shape:
        return _on_cells(posterior, columns, kept)
    theta_grid, mean = posterior.theta_grid[..., columns], posterior.mean[:, columns]
    draws = replace(posterior, theta_grid=theta_grid, map_estimate=mean, **kept)
    densest = np.argmax(draws.log_density, axis=1)
    return replace(draws, map_estimate=theta_grid[np.arange(len(draws)), densest])


def _columns(known, names):
    for name in names:
        if name not in known or names.count(name) > 1:
            raise InputError(
                f"names: expected some of {', '.join(known)}, each once "
                f"(did you mean {nearest_name(name, known)!r}?). Received: {name!r}."
            )
    return [known.index(name) for name in names]


def _prior_of(prior, names):
    """The configuration of a prior, as far as these parameters go."""
    return {
        key: {name: value[name] for name in names if name in value} if isinstance(value, Mapping) else value
        for key, value in prior.items()
    }


def _on_cells(posterior, columns, kept):
    shape, log_posterior = posterior.shape, posterior.log_posterior
    others = tuple(1 + axis for axis in range(len(shape)) if axis not in columns)
    mass = np.exp(log_posterior).reshape(len(posterior), *shape).sum(axis=others)
    # The sum leaves the kept axes in their old order.
    mass = np.transpose(mass, (0, *(1 + sorted(columns).index(column) for column in columns)))
    with np.errstate(divide="ignore"):
        log_mass = np.stack([log_normalized(log_density) for log_density in np.log(mass)])
    boxes = [Cells(*box, mass.shape[1:]) for box in kept["boxes"]]
    denormalize = kept["parameters"].denormalize
    return replace(
        posterior,
        theta_grid=denormalize(np.stack([cells.points() for cells in boxes])),
        log_posterior=log_mass.reshape(len(posterior), -1),
        map_estimate=denormalize(np.stack([peak(*pair) for pair in zip(log_mass, boxes, strict=True)])),
        shape=mass.shape[1:],
        **kept,
    )
