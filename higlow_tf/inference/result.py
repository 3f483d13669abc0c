"""What every method returns for one group of maps."""

from dataclasses import dataclass, field

import numpy as np

__all__ = ["GroupResult"]


@dataclass(frozen=True)
class GroupResult:
    """Posterior of one group of maps.

    Args:
        theta_grid: Points, physical, `[G, P]`: cells of a regular box, or draws.
        log_posterior: Log of the mass of each, `[G]`; the masses sum to one.
        map_estimate: Point of the highest density per unit of the normalised coordinates, physical, `[P]`.
        box: Lower and upper corner of a regular grid in normalised coordinates, `[2, P]`; `[0, P]` for draws.
        diagnostics: Numbers (or `[P]` arrays) by name.
        notes: What a reader should know, in words.
    """

    theta_grid: np.ndarray
    log_posterior: np.ndarray
    map_estimate: np.ndarray
    box: np.ndarray
    diagnostics: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
