"""The peak of a posterior and its curvature, from log-densities alone."""

import numpy as np
from scipy.special import expit, log_expit
from scipy.stats import qmc

__all__ = ["Unconstrained", "laplace", "peak_inside"]

_NUM_SCANNED = 256
_MAX_STEPS = 30
_STEP_SIZES = np.array([1.0, 0.5, 0.25, 0.1, 0.03, 0.003, 1.5, 2.0])
# A step that gains less, in nats, ends the climb.
_SMALLEST_GAIN = 1e-3
# Logits beyond which nothing is left: the edge of the prior to 1e-5 of its width.
_LARGEST_LOGIT = 11.5
# Curvature below which a direction counts as flat: the logit of a uniform variable has 0.3.
_SMALLEST_CURVATURE = 0.1


class Unconstrained:
    """A target on all of R^P: its normalised coordinates are low + (high - low) * sigmoid(v).

    Args:
        target: `Target`.
        has_jacobian: Whether densities are those of v (to sample v) or those of the normalised coordinates (for their
            peak).
    """

    def __init__(self, target, has_jacobian=True):
        self._target = target
        self._has_jacobian = has_jacobian
        self.low, self.width = target.prior.low, target.prior.high - target.prior.low

    def to_normalized(self, v):
        """`[..., P]` -> `[..., P]`."""
        return self.low + self.width * expit(v)

    def log_jacobian(self, v):
        """Log |d normalised / d v|, `[..., P]` -> `[...]`, without the constant widths."""
        return np.sum(log_expit(v) + log_expit(-v), axis=-1)

    def __call__(self, v):
        """Log-density `[G]` at v `[G, P]`."""
        log_density = self._target(self.to_normalized(v))
        return log_density + self.log_jacobian(v) if self._has_jacobian else log_density


def laplace(target, seed=0):
    """Gaussian approximation of a posterior in unconstrained coordinates.

    A damped Newton climb starts at the best of 256 points of a Latin hypercube. Gradient and Hessian are central differences
    with steps of half a standard deviation, so that the noise of a float32 log-density (1e-3 nats) does not matter. All
    points of a step are one call. No gradient of the model is needed.

    Args:
        target: `Target`.
        seed: Seed of the Latin hypercube.

    Returns:
        Mode `[P]` and covariance `[P, P]` of v.
    """
    log_density = Unconstrained(target)
    unit = qmc.LatinHypercube(len(log_density.low), rng=np.random.default_rng(seed)).random(_NUM_SCANNED)
    points = np.log(unit) - np.log1p(-unit)
    return _climb(log_density, points[np.argmax(log_density(points))])


def peak_inside(target, draws):
    """Point of the highest density per unit of the normalised coordinates, `[P]`.

    The climb starts at the densest of at most 256 of the draws v `[S, P]`: a posterior may have more than one peak.
    """
    log_density = Unconstrained(target, has_jacobian=False)
    tried = draws[np.unique(np.linspace(0, len(draws) - 1, _NUM_SCANNED).astype(int))]
    start = np.clip(tried[np.argmax(log_density(tried))], -_LARGEST_LOGIT, _LARGEST_LOGIT)
    return log_density.to_normalized(_climb(log_density, start)[0])


def _climb(log_density, start):
    point, step = np.array(start), np.full(len(start), 0.1)
    value = log_density(point[None])[0]
    for _ in range(_MAX_STEPS):
        gradient, hessian = _differences(log_density, point, value, step)
        curvature, directions = np.linalg.eigh(-hessian)
        covariance = (directions / np.maximum(np.abs(curvature), _SMALLEST_CURVATURE)) @ directions.T
        newton = covariance @ gradient
        newton /= max(1.0, np.abs(newton).max() / 2.0)
        tried = np.clip(point + _STEP_SIZES[:, None] * newton, -_LARGEST_LOGIT, _LARGEST_LOGIT)
        values = log_density(tried)
        best = np.argmax(values)
        is_step_settled = np.all(np.abs(np.log(step / _good_step(hessian))) < np.log(2.0))
        step = _good_step(hessian)
        gain = values[best] - value
        if gain > 0:
            point, value = tried[best], values[best]
        if gain < _SMALLEST_GAIN and is_step_settled:
            break
    return point, covariance


def _good_step(hessian):
    """Half of the standard deviation of each coordinate with the others fixed, bounded."""
    return np.clip(0.5 / np.sqrt(np.maximum(-np.diag(hessian), 1e-12)), 1e-3, 0.5)


def _differences(log_density, point, value, step):
    """Gradient and Hessian by central differences, in one call of 2 P**2 rows."""
    num_parameters = len(point)
    unit = np.diag(step)
    pairs = [(i, j) for i in range(num_parameters) for j in range(i)]
    crosses = [si * unit[i] + sj * unit[j] for i, j in pairs for si, sj in ((1, 1), (-1, -1), (1, -1), (-1, 1))]
    offsets = np.concatenate([unit, -unit, *([np.array(crosses)] if pairs else [])])
    # A point without likelihood is a steep wall, not a hole in the derivatives.
    values = np.maximum(log_density(point + offsets), value - 1e3)
    above, below = values[:num_parameters], values[num_parameters : 2 * num_parameters]
    hessian = np.diag((above + below - 2.0 * value) / step**2)
    for (i, j), four in zip(pairs, values[2 * num_parameters :].reshape(-1, 4), strict=True):
        hessian[i, j] = hessian[j, i] = (four[0] + four[1] - four[2] - four[3]) / (4.0 * step[i] * step[j])
    return (above - below) / (2.0 * step), hessian
