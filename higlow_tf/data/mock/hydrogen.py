"""Neutral hydrogen in photo-ionisation equilibrium, with self-shielding."""

import numpy as np
import scipy.fft
from colossus.utils import constants

from higlow_tf.data.lognormal.power import HUBBLE_H, OMEGA_B, REDSHIFT
from higlow_tf.data.mock.initial_conditions import wavenumbers

__all__ = [
    "HYDROGEN_MASS_FRACTION",
    "column_density_per_unit",
    "gas_density",
    "ionizing_background",
    "mean_hydrogen_density_cm3",
    "neutral_fraction",
    "neutral_hydrogen_density_cm3",
    "recombination_rate",
    "self_shielded_fraction",
]

HYDROGEN_MASS_FRACTION = 0.76

_MIN_DENSITY = 1e-3
_TEMPERATURE_RANGE_KELVIN = (3e3, 5e4)
_SOURCE_DENSITY = 3.0
_MIN_BACKGROUND = 0.05
_MOLECULAR_DENSITY_CM3 = 0.02


def column_density_per_unit(redshift=REDSHIFT):
    """Column density in proper cm**-2 of a surface density of one (Msun/h)/(Mpc/h)**2, comoving.

    (Msun/h) / (Mpc/h)**2 = h * Msun / Mpc**2, and a proper area is (1 + z)**2 times smaller than the comoving one:
        N = h * (1 + z)**2 * Msun / (m_p * Mpc**2) = 4.106e9 cm**-2 at redshift 6
    """
    return HUBBLE_H * (1.0 + redshift) ** 2 * constants.MSUN / (constants.M_PROTON * constants.MPC**2)


def mean_hydrogen_density_cm3():
    """Mean number density of hydrogen nuclei at the redshift of the maps, in proper cm**-3."""
    critical_g_cm3 = constants.RHO_CRIT_0_MPC3 * HUBBLE_H**2 * constants.MSUN / constants.MPC**3
    return critical_g_cm3 * OMEGA_B * HYDROGEN_MASS_FRACTION / constants.M_PROTON * (1.0 + REDSHIFT) ** 3


def gas_density(matter, smoothing_mpc_h):
    """Gas density in units of its mean, not negative: the matter, smoothed with a Gaussian (as pressure would smooth it).

    Args:
        matter: Density in units of the mean on a mesh over the box, float32.
        smoothing_mpc_h: Standard deviation of the Gaussian.
    """
    k_squared = sum(k**2 for k in wavenumbers(matter.shape))
    modes = scipy.fft.rfftn(matter) * np.exp(np.float32(-0.5 * smoothing_mpc_h**2) * k_squared)
    return np.maximum(scipy.fft.irfftn(modes, s=matter.shape), 0)


def ionizing_background(gas, variant):
    """Photo-ionisation rate in units of its mean: a part is uniform, the rest comes from dense gas.

    Math:
        source = max(gas - 3, 0);  local = source convolved with exp(-r / bubble_radius) / r
        rate = 1 - bubble_fraction + bubble_fraction * local / mean(local), at least 0.05

    Returns:
        Array of the shape of `gas`, or 1 for a uniform background.
    """
    if variant.bubble_fraction == 0:
        return np.float32(1.0)
    k_squared = sum(k**2 for k in wavenumbers(gas.shape))
    # The Fourier transform of the Yukawa kernel. Its constant cancels below.
    modes = scipy.fft.rfftn(np.maximum(gas - np.float32(_SOURCE_DENSITY), 0))
    modes /= 1 + np.float32(variant.bubble_radius_mpc_h**2) * k_squared
    local = np.maximum(scipy.fft.irfftn(modes, s=gas.shape), 0)
    # Without any source (a box of low contrast) the local part is missing.
    local *= np.float32(variant.bubble_fraction / max(local.mean(dtype=np.float64), 1e-6))
    return np.maximum(local + np.float32(1 - variant.bubble_fraction), np.float32(_MIN_BACKGROUND))


def recombination_rate(temperature_kelvin):
    """Case A recombination coefficient in cm**3/s: a power law, within 6 % of Hui and Gnedin from 3e3 to 5e4 K.

    References:
        [1] Hui and Gnedin. MNRAS 292, 27, 1997. https://arxiv.org/abs/astro-ph/9612232
    """
    return 4.063e-13 * (temperature_kelvin / 1e4) ** -0.72


def self_shielded_fraction(density_cm3, temperature_kelvin, background_per_s):
    """Part of the photo-ionisation rate of the background that reaches gas of a hydrogen density.

    Math:
        n_sh = 6.73e-3 cm**-3 * (T / 1e4 K)**0.17 * (Gamma / 1e-12 s**-1)**(2/3)                     (eq. 13)
        0.98 * (1 + (n / n_sh)**1.64)**-2.28 + 0.02 * (1 + n / n_sh)**-0.84                           (eq. 14)

    References:
        [1] Rahmati et al. MNRAS 430, 2427, 2013. https://arxiv.org/abs/1210.7808
    """
    ratio = density_cm3 / (6.73e-3 * (temperature_kelvin / 1e4) ** 0.17 * (background_per_s * 1e12) ** (2 / 3))
    return 0.98 * (1 + ratio**1.64) ** -2.28 + 0.02 * (1 + ratio) ** -0.84


def neutral_fraction(density_cm3, temperature_kelvin, rate_per_s):
    """Neutral fraction x of hydrogen in equilibrium: alpha * n * (1 - x)**2 = Gamma * x.

    Electrons come from hydrogen alone, and collisions do not ionise.
    """
    recombinations = 2 * recombination_rate(temperature_kelvin) * density_cm3
    total = recombinations + rate_per_s
    # The root below one, in the form that does not subtract two nearly equal numbers.
    return recombinations / (total + np.sqrt(np.maximum(total**2 - recombinations**2, 0)))


def neutral_hydrogen_density_cm3(gas, astrophysics, variant):
    """Density of atomic hydrogen in each cell.

    Math:
        gas kept    1 / (1 + f * A_SN1**0.5 * (gas / (d * A_SN2))**0.7),  f, d: feedback strength and overdensity
        T           T0 * A_AGN2**0.15 * gas**slope, within 3e3 and 5e4 K
        Gamma       Gamma0 * A_AGN1**0.1 * ionizing_background
        atomic      1 / (1 + (n_H / 0.02 cm**-3)**0.92), where hydrogen may turn molecular
    The last line is the molecular ratio of Blitz and Rosolowsky with density in place of pressure.

    Args:
        gas: Density in units of the mean, float32.
        astrophysics: A_SN1, A_AGN1, A_SN2, A_AGN2, `[4]`.
        variant: `Variant`.

    Returns:
        Proper cm**-3, float32, the shape of `gas`.

    References:
        [1] Blitz and Rosolowsky. ApJ 650, 933, 2006. https://arxiv.org/abs/astro-ph/0605035
    """
    a_sn1, a_agn1, a_sn2, a_agn2 = (float(value) for value in astrophysics)
    background = ionizing_background(gas, variant) * np.float32(variant.photoionization_rate_per_s * a_agn1**0.1)
    gas = np.maximum(gas, np.float32(_MIN_DENSITY))
    lost = variant.feedback_strength * a_sn1**0.5 * (gas / (variant.feedback_overdensity * a_sn2)) ** 0.7
    density_cm3 = mean_hydrogen_density_cm3() * gas / (1 + lost)
    temperature = variant.temperature_kelvin * a_agn2**0.15 * gas**variant.temperature_slope
    temperature = np.clip(temperature, *_TEMPERATURE_RANGE_KELVIN)
    rate = background * self_shielded_fraction(density_cm3, temperature, background)
    neutral = density_cm3 * neutral_fraction(density_cm3, temperature, rate)
    if variant.has_molecular_hydrogen:
        neutral /= 1 + (density_cm3 / _MOLECULAR_DENSITY_CM3) ** 0.92
    return neutral
