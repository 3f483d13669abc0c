"""HI in haloes that the mesh does not resolve."""

import numpy as np
from colossus.lss.mass_function import modelSheth99
from colossus.utils import constants

from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H, OMEGA_B, REDSHIFT, linear_power

__all__ = ["draw_halo_hi", "halo_hi_mass", "halo_mass_function"]

_MAX_MASS_MSUN_H = 1e13
_NUM_MASSES = 120
_SIGMA_GRID_K_H_MPC = np.geomspace(1e-4, 3e2, 2000)


def halo_mass_function(masses_msun_h, theta):
    """Comoving number density of haloes per unit of ln(mass) at the redshift of the maps.

    Definition:
        dn/dlnM = f(sigma) * rho_m / M * abs(dlnsigma/dlnM),  f of Sheth and Tormen, delta_c = 1.686

    Args:
        masses_msun_h: Ascending masses, `[M]`.
        theta: Omega_m and sigma_8, `[2]`.

    Returns:
        (h/Mpc)**3, `[M]`.

    References:
        [1] Sheth and Tormen. MNRAS 308, 119, 1999. https://arxiv.org/abs/astro-ph/9901122
    """
    matter_density = constants.RHO_CRIT_0_MPC3 * theta[0]
    radius_mpc_h = (3.0 * masses_msun_h / (4.0 * np.pi * matter_density)) ** (1.0 / 3.0)
    k = _SIGMA_GRID_K_H_MPC
    x = k * radius_mpc_h[:, None]
    # Below x = 0.01 the closed form loses its digits to cancellation, and the series is exact to 1e-10.
    window = np.where(x < 0.01, 1.0 - x**2 / 10.0, 3.0 * (np.sin(x) - x * np.cos(x)) / x**3)
    integrand = k**3 * linear_power(k, theta) * window**2 / (2.0 * np.pi**2)
    sigma = np.sqrt(np.trapezoid(integrand, np.log(k), axis=1))
    slope = np.abs(np.gradient(np.log(sigma), np.log(masses_msun_h)))
    # Without corrections the model does not use the current cosmology of colossus, which is global.
    multiplicity = modelSheth99(sigma, REDSHIFT, deltac_args={"corrections": False})
    return multiplicity * matter_density / masses_msun_h * slope


def halo_hi_mass(masses_msun_h, theta, variant):
    """Median HI mass of haloes, in Msun/h.

    Math:
        M_HI = f / A_SN1**0.5 * (Omega_b / Omega_m) * M * (M / 1e10)**(slope - 1) * exp(-(M_min / M)**0.35)
        M_min = variant.halo_min_mass_msun_h * A_SN2**0.7

    References:
        [1] Villaescusa-Navarro et al. ApJ 866, 135, 2018, eq. 13 (the shape). https://arxiv.org/abs/1804.09180
    """
    omega_m, a_sn1 = theta[0], theta[2]
    cut_off = np.exp(-((_min_mass(theta, variant) / masses_msun_h) ** 0.35))
    fraction = variant.halo_hi_fraction / np.sqrt(a_sn1) * OMEGA_B / omega_m
    return fraction * masses_msun_h * (masses_msun_h / 1e10) ** (variant.halo_mass_slope - 1.0) * cut_off


def draw_halo_hi(gas, theta, variant, rng):
    """Draws haloes from M_min upward and puts them into cells.

    Their number is a Poisson variate with the mean of the mass function over the box. The probability that a halo falls into
    a cell is proportional to gas**2 * exp(-4 / gas). Its HI mass scatters log-normally.

    Args:
        gas: Density in units of the mean on a mesh over the box.
        theta: All six parameters, `[6]`.
        variant: `Variant`.
        rng: NumPy generator.

    Returns:
        HI mass in each cell in Msun/h, float64, the shape of `gas`.
    """
    edges = np.geomspace(_min_mass(theta, variant), _MAX_MASS_MSUN_H, _NUM_MASSES + 1)
    masses = np.sqrt(edges[:-1] * edges[1:])
    expected = halo_mass_function(masses, theta[:2]) * np.diff(np.log(edges)) * BOX_SIZE_MPC_H**3
    counts = rng.poisson(expected)
    hi_mass = np.repeat(halo_hi_mass(masses, theta, variant), counts)
    hi_mass = hi_mass * 10.0 ** (variant.halo_scatter_dex * rng.standard_normal(len(hi_mass)))
    weight = (gas**2 * np.exp(-4 / np.maximum(gas, np.float32(0.05)))).ravel()
    cumulative = np.cumsum(weight, dtype=np.float64)
    cell = np.searchsorted(cumulative, rng.random(len(hi_mass)) * cumulative[-1], side="right")
    return np.bincount(cell, hi_mass, minlength=gas.size).reshape(gas.shape)


def _min_mass(theta, variant):
    return variant.halo_min_mass_msun_h * theta[4] ** 0.7
