"""What every method returns for one group of maps."""

from dataclasses import dataclass, field

import numpy as np

__all__ = ["GroupResult"]

_ARRAYS = ("theta_grid", "log_posterior", "map_estimate", "box")


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
        counts: For each map of the group, how many of its likelihoods were NaN or +inf, and how many there were.
    """

    theta_grid: np.ndarray
    log_posterior: np.ndarray
    map_estimate: np.ndarray
    box: np.ndarray
    diagnostics: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    counts: list = field(default_factory=list)

    def to_answer(self):
        """The result as a dict of arrays and a JSON-compatible rest, as `AnswerCache` keeps it."""
        diagnostics = {name: np.asarray(value).tolist() for name, value in self.diagnostics.items()}
        rest = {"diagnostics": diagnostics, "notes": list(self.notes), "counts": self.counts}
        return {name: getattr(self, name) for name in _ARRAYS}, rest

    @classmethod
    def from_answer(cls, arrays, rest):
        """The inverse of `to_answer`."""
        diagnostics = {
            name: np.array(value) if isinstance(value, list) else value for name, value in rest["diagnostics"].items()
        }
        return cls(**arrays, diagnostics=diagnostics, notes=rest["notes"], counts=rest["counts"])
