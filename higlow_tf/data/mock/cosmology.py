"""Linear growth in a flat universe of matter and a cosmological constant, as the particle mesh needs it."""

import numpy as np
from scipy.special import hyp2f1

from higlow_tf.data.lognormal.power import REDSHIFT

__all__ = ["expansion_rate", "growth", "growth_momentum", "matter_fraction", "second_order_growth"]

_MAP_SCALE_FACTOR = 1.0 / (1.0 + REDSHIFT)


def expansion_rate(scale_factor, omega_m):
    """E(a) = H(a) / H_0."""
    return np.sqrt(omega_m / scale_factor**3 + 1.0 - omega_m)


def matter_fraction(scale_factor, omega_m):
    """Omega_m(a): the part of the critical density that is matter, at scale factor a."""
    return omega_m / scale_factor**3 / expansion_rate(scale_factor, omega_m) ** 2


def growth(scale_factor, omega_m):
    """Linear growth factor, one at the redshift of the maps.

    Definition:
        D(a) = d(a) / d(1 / 7),  d(a) = a * 2F1(1/3, 1; 11/6; -a**3 * (1 - Omega_m) / Omega_m)
    """
    return _growth_from_matter_era(scale_factor, omega_m) / _growth_from_matter_era(_MAP_SCALE_FACTOR, omega_m)


def growth_momentum(scale_factor, omega_m):
    """G(a) = a**3 * E * dD/da: the momentum a**2 dx/dt (t in 1/H_0) of a unit displacement that grows as D.

    dD/da follows from Heath's integral, D proportional to E * int (a E)**-3 da, without a numerical derivative:
        dd/da = Omega_m(a) * (2.5 - 1.5 * d / a)

    References:
        [1] Heath. MNRAS 179, 351, 1977.
    """
    unnormalized = _growth_from_matter_era(scale_factor, omega_m)
    slope = matter_fraction(scale_factor, omega_m) * (2.5 - 1.5 * unnormalized / scale_factor)
    slope = slope / _growth_from_matter_era(_MAP_SCALE_FACTOR, omega_m)
    return scale_factor**3 * expansion_rate(scale_factor, omega_m) * slope


def second_order_growth(scale_factor, omega_m):
    """Growth factor of second-order displacements, and its momentum a**3 * E * dD2/da.

    Definition:
        D2 = -3/7 * D**2 * Omega_m(a)**(-1/143),  dlnD2/dlna = 2 * Omega_m(a)**(6/11)

    References:
        [1] Bouchet et al. A&A 296, 575, 1995. https://arxiv.org/abs/astro-ph/9406013
    """
    fraction = matter_fraction(scale_factor, omega_m)
    factor = -3.0 / 7.0 * growth(scale_factor, omega_m) ** 2 * fraction ** (-1.0 / 143.0)
    rate = 2.0 * fraction ** (6.0 / 11.0)
    return factor, scale_factor**2 * expansion_rate(scale_factor, omega_m) * factor * rate


def _growth_from_matter_era(scale_factor, omega_m):
    """D(a) in the normalisation in which it is a when matter dominates."""
    ratio = (1.0 - omega_m) / omega_m
    return scale_factor * hyp2f1(1 / 3, 1, 11 / 6, -(scale_factor**3) * ratio)
