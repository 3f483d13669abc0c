"""Growth, hydrogen and haloes of the mock suite, beside numerical solutions and a library."""

import warnings

import numpy as np
import pytest
from colossus.cosmology import cosmology as colossus_cosmology
from colossus.lss import mass_function
from scipy.integrate import quad
from scipy.optimize import brentq

from higlow_tf.data.lognormal.power import HUBBLE_H, OMEGA_B, SPECTRAL_INDEX
from higlow_tf.data.mock import VARIANTS, hydrogen
from higlow_tf.data.mock.cosmology import expansion_rate, growth, growth_momentum, matter_fraction, second_order_growth
from higlow_tf.data.mock.haloes import draw_halo_hi, halo_hi_mass, halo_mass_function

FIDUCIAL = np.array([0.3, 0.8, 1.0, 1.0, 1.0, 1.0])
# What is left of adaptive quadrature and of a central difference with a step of 1e-5.
QUADRATURE, DIFFERENCE = 1e-8, 1e-6


def heath_growth(scale_factor, omega_m):
    integral, _ = quad(lambda a: (a * expansion_rate(a, omega_m)) ** -3, 0.0, scale_factor, epsrel=1e-10)
    return expansion_rate(scale_factor, omega_m) * integral


def slope(function, scale_factor):
    step = 1e-5 * scale_factor
    return (function(scale_factor + step) - function(scale_factor - step)) / (2.0 * step)


@pytest.mark.parametrize("omega_m", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("scale_factor", [0.05, 0.1, 1 / 7, 1.0])
def test_growth_is_heaths_integral(scale_factor, omega_m):
    expected = heath_growth(scale_factor, omega_m) / heath_growth(1 / 7, omega_m)
    assert growth(scale_factor, omega_m) == pytest.approx(expected, rel=QUADRATURE)
    momentum = (
        scale_factor**3 * expansion_rate(scale_factor, omega_m) * slope(lambda a: growth(a, omega_m), scale_factor)
    )
    assert growth_momentum(scale_factor, omega_m) == pytest.approx(momentum, rel=DIFFERENCE)
    # The equation of motion of linear theory, which makes every kick exact: dG/da = 1.5 * Omega_m * D / (a**2 * E).
    force = 1.5 * omega_m * growth(scale_factor, omega_m) / (scale_factor**2 * expansion_rate(scale_factor, omega_m))
    assert slope(lambda a: growth_momentum(a, omega_m), scale_factor) == pytest.approx(force, rel=DIFFERENCE)


def test_second_order_growth_in_the_matter_era_is_exact():
    factor, momentum = second_order_growth(0.1, 1.0)
    assert matter_fraction(0.1, 1.0) == pytest.approx(1.0)
    assert factor == pytest.approx(-3 / 7 * 0.7**2)
    assert momentum == pytest.approx(0.1**3 * expansion_rate(0.1, 1.0) * 2 * factor / 0.1)


def test_column_density_of_a_unit_of_surface_density():
    # One (Msun/h)/(Mpc/h)**2 spread over a proper area, with rounded textbook constants.
    atoms = 1.989e33 / 0.6711 / 1.6726e-24
    area_cm2 = (3.0857e24 / 0.6711 / 7.0) ** 2
    rounding = 5e-4
    assert hydrogen.column_density_per_unit() == pytest.approx(atoms / area_cm2, rel=rounding)
    assert hydrogen.column_density_per_unit() == pytest.approx(4.107e9, rel=rounding)


def test_mean_hydrogen_density():
    # 1.88e-29 h**2 g cm**-3, three digits.
    expected = 1.88e-29 * 0.6711**2 * 0.049 * 0.76 / 1.6726e-24 * 7**3
    assert hydrogen.mean_hydrogen_density_cm3() == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("density_cm3", [1e-7, 1e-4, 1e-2, 10.0])
@pytest.mark.parametrize("rate_per_s", [1e-16, 1e-13, 1e-11])
def test_neutral_fraction_is_the_root_of_the_equilibrium(density_cm3, rate_per_s):
    temperature = 1.5e4
    recombination = hydrogen.recombination_rate(temperature) * density_cm3
    root = brentq(lambda x: recombination * (1 - x) ** 2 - rate_per_s * x, 0.0, 1.0, xtol=1e-300, rtol=1e-14)
    assert hydrogen.neutral_fraction(density_cm3, temperature, rate_per_s) == pytest.approx(root, rel=1e-12)
    single = hydrogen.neutral_fraction(np.float32(density_cm3), np.float32(temperature), np.float32(rate_per_s))
    # The square root cancels where the gas is neutral: half of the digits of float32.
    assert single == pytest.approx(root, rel=5e-4)


def test_recombination_is_near_the_accurate_fit():
    temperature = np.geomspace(3e3, 5e4, 20)
    scaled = 2 * 157807.0 / temperature
    hui_gnedin = 1.269e-13 * scaled**1.503 / (1 + (scaled / 0.522) ** 0.470) ** 1.923
    # What the docstring of the power law says.
    np.testing.assert_allclose(hydrogen.recombination_rate(temperature), hui_gnedin, rtol=0.06)


def test_self_shielding_has_its_limits():
    threshold = 6.73e-3 * 1.5**0.17 * 0.25 ** (2 / 3)
    fraction = hydrogen.self_shielded_fraction(threshold * np.array([1e-6, 1.0, 1e4, 3.0]), 1.5e4, 2.5e-13)
    assert fraction[0] == pytest.approx(1.0, abs=1e-6)
    assert fraction[1] == pytest.approx(0.98 * 2**-2.28 + 0.02 * 2**-0.84)
    assert fraction[2] == pytest.approx(0.02 * 1e4**-0.84, rel=1e-2)
    assert fraction[3] == pytest.approx(0.98 * (1 + 3**1.64) ** -2.28 + 0.02 * 4**-0.84)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=str)
def test_each_nuisance_parameter_matters_the_way_it_is_meant(variant):
    gas = np.geomspace(0.1, 300, 64, dtype=np.float32).reshape(4, 4, 4)

    def hi(*astrophysics):
        return hydrogen.neutral_hydrogen_density_cm3(gas, astrophysics, variant).sum(dtype=np.float64)

    fiducial = hi(1, 1, 1, 1)
    assert hi(4, 1, 1, 1) < fiducial  # more supernovae expel more gas
    assert hi(1, 4, 1, 1) < fiducial  # a stronger background ionises more
    assert hi(1, 1, 2, 1) > fiducial  # feedback that starts at higher densities leaves more
    assert hi(1, 1, 1, 2) < fiducial  # hotter gas recombines less


def test_background_of_bubbles_has_its_mean_and_is_stronger_near_sources():
    rng = np.random.default_rng(0)
    gas = np.exp(rng.normal(0.0, 1.2, (20, 20, 20))).astype(np.float32)
    gas[5, 5, 5] = 500.0
    variant = VARIANTS["bubbles"]
    background = hydrogen.ionizing_background(gas, variant)
    # Float32 rounding of a mean of 8000 cells, and no cell is at the lower limit.
    assert background.mean(dtype=np.float64) == pytest.approx(1.0, abs=1e-5)
    assert background[5, 5, 5] == background.max()
    assert background.min() >= 1 - variant.bubble_fraction
    assert hydrogen.ionizing_background(gas, VARIANTS["uniform-background"]) == 1.0


@pytest.fixture
def library_cosmology():
    """The same universe in colossus, whose current cosmology is global and is put back."""
    before = colossus_cosmology.current_cosmo
    parameters = {"flat": True, "H0": 100 * HUBBLE_H, "Om0": 0.3, "Ob0": OMEGA_B, "sigma8": 0.8, "ns": SPECTRAL_INDEX}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        colossus_cosmology.setCosmology("test", params=parameters | {"relspecies": False}, persistence="")
    yield
    colossus_cosmology.current_cosmo = before


@pytest.mark.usefixtures("library_cosmology")
def test_mass_function_is_that_of_the_library():
    masses = np.geomspace(1e9, 1e12, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = mass_function.massFunction(
            masses,
            6.0,
            mdef="fof",
            model="sheth99",
            q_out="dndlnM",
            deltac_args={"corrections": False},
        )
    # The slope of sigma is a difference quotient on the grid of masses; its first and last are one-sided.
    np.testing.assert_allclose(halo_mass_function(masses, (0.3, 0.8))[1:-1], expected[1:-1], rtol=5e-3)


def test_drawn_haloes_hold_the_hi_of_the_mass_function():
    variant = VARIANTS["uniform-background"]
    gas = np.ones((10, 10, 10), np.float32)
    gas[:5] = 3.0
    draws = [draw_halo_hi(gas, FIDUCIAL, variant, np.random.default_rng(seed)) for seed in range(40)]
    masses = np.geomspace(variant.halo_min_mass_msun_h, 1e13, 400)
    hi = halo_hi_mass(masses, FIDUCIAL, variant)
    density = halo_mass_function(masses, FIDUCIAL[:2])
    scatter = variant.halo_scatter_dex * np.log(10)
    mean = 25.0**3 * np.trapezoid(density * hi, np.log(masses)) * np.exp(scatter**2 / 2)
    variance = 25.0**3 * np.trapezoid(density * hi**2, np.log(masses)) * np.exp(2 * scatter**2)
    total = np.mean([draw.sum() for draw in draws])
    assert abs(total - mean) < 4 * np.sqrt(variance / len(draws))
    # Dense cells have 9 exp(-4/3) / exp(-4) times the haloes of the others.
    weight = 9 * np.exp(-4 / 3 + 4)
    dense = np.sum([draw[:5].sum() for draw in draws]) / np.sum(draws)
    assert dense == pytest.approx(weight / (1 + weight), abs=0.01)


def test_hi_of_haloes_follows_its_parameters():
    variant = VARIANTS["bubbles"]
    masses = np.array([1e10, 1e11])
    fiducial = halo_hi_mass(masses, FIDUCIAL, variant)
    cut_off = np.exp(-((7e9 / masses) ** 0.35))
    np.testing.assert_allclose(fiducial, 0.012 * 0.049 / 0.3 * masses * (masses / 1e10) ** -0.3 * cut_off)
    assert np.all(halo_hi_mass(masses, FIDUCIAL * [1, 1, 4, 1, 1, 1], variant) == fiducial / 2)
    assert np.all(halo_hi_mass(masses, FIDUCIAL * [1, 1, 1, 1, 2, 1], variant) < fiducial)
