"""The lognormal suite against closed forms, explicit covariances, colossus, CAMB, and its own samples."""

import numpy as np
import pytest
from colossus.cosmology.cosmology import Cosmology
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kstest, multivariate_normal

from higlow_tf.data import lognormal
from higlow_tf.data.lognormal.density import ring_power
from higlow_tf.data.lognormal.field import ring_variance, rings
from higlow_tf.data.lognormal.power import SPECTRAL_INDEX
from higlow_tf.errors import InputError

REFERENCE = np.array([0.3, 0.8])
OTHER = np.array([0.14, 0.93])

FLOAT64 = 1e-10  # sums of some hundred float64 terms
COLOSSUS = 5e-5  # the quadrature of sigma_8 in colossus leaves 2e-5 in the power, at Omega_m = 0.5
EISENSTEIN_HU = 0.05  # the accuracy its authors and colossus state for the fit
DIFFERENCE = 1e-6  # central differences, step 1e-4 relative: 1e-8 times a third derivative of order ten
SIGMAS = 4.0  # a fixed seed; by chance one in 16000
P_VALUE = 1e-3  # a fixed seed; by chance one in 1000


def explicit_covariance(theta, map_size):
    """Pixel covariance written out: the sum over all modes of S cos(k (x - x')) / n**2."""
    pixel = np.stack(np.meshgrid(np.arange(map_size), np.arange(map_size), indexing="ij"), -1).reshape(-1, 2)
    phase = 2.0 * np.pi / map_size * (pixel @ pixel.T)  # k and x run over the same integers
    wave = np.exp(1j * phase)
    return (wave * lognormal.mode_variance(theta, map_size).ravel() @ wave.conj().T).real / map_size**2


def colossus_at(omega_m, sigma_8):
    return Cosmology(
        name="test", flat=True, Om0=omega_m, Ob0=0.049, H0=67.11, sigma8=sigma_8, ns=SPECTRAL_INDEX, relspecies=False,
        Tcmb0=2.7255, persistence="", interpolation=False,
    )  # fmt: skip


@pytest.mark.parametrize("theta", [REFERENCE, OTHER])
def test_linear_power_agrees_with_colossus(theta):
    k = np.geomspace(0.2, 40.0, 30)
    expected = colossus_at(*theta).matterPowerSpectrum(k, 6.0)
    np.testing.assert_allclose(lognormal.linear_power(k, theta), expected, rtol=COLOSSUS)


def test_projection_is_the_average_over_the_slab():
    """The slab's mean of each line-of-sight wave, by quadrature, in place of the closed window."""
    box, depth = 25.0, np.linspace(-2.5, 2.5, 4001)
    n = np.arange(-300, 301)
    window = np.trapezoid(np.cos(2.0 * np.pi / box * n[:, None] * depth), depth, axis=1) / 5.0
    for k_squared in (1, 25):
        k = 2.0 * np.pi / box * np.sqrt(k_squared + n**2)
        expected = np.sum(lognormal.linear_power(k, REFERENCE) * window**2) / box
        # The sum in the package ends at 128, which costs less than 1e-6 at these wavenumbers; the quadrature 3e-6.
        assert lognormal.projected_power([k_squared], REFERENCE)[0] == pytest.approx(expected, rel=1e-5)


def test_mean_density_of_the_box_is_left_out():
    n = np.arange(1, 129)
    k = 2.0 * np.pi / 25.0 * n
    expected = 2.0 / 25.0 * np.sum(lognormal.linear_power(k, REFERENCE) * np.sinc(n / 5.0) ** 2)
    assert lognormal.projected_power([0], REFERENCE)[0] == pytest.approx(expected, rel=FLOAT64)


def test_projection_does_not_depend_on_the_box_where_modes_are_dense():
    """K = 2 pi / 25 in boxes 4 and 8 times as long: the sum over k_z has become the integral."""
    small, large = (lognormal.projected_power([ratio**2], REFERENCE, 25.0 * ratio)[0] for ratio in (4, 8))
    assert small == pytest.approx(large, rel=1e-3)  # sums of a smooth function with half the step


def test_linear_power_agrees_with_camb():
    camb = pytest.importorskip("camb", reason="camb, the oracle of the linear power, is not installed")
    h = 0.6711
    settings_ = camb.set_params(
        H0=100 * h, ombh2=0.049 * h**2, omch2=0.251 * h**2, mnu=0.0, num_massive_neutrinos=0, ns=SPECTRAL_INDEX,
        TCMB=2.7255, WantTransfer=True,
    )  # fmt: skip
    settings_.set_matter_power(redshifts=[6.0, 0.0], kmax=60.0)
    results = camb.get_results(settings_)
    k, redshifts, power = results.get_matter_power_spectrum(minkh=0.2, maxkh=40.0, npoints=50)
    expected = power[list(redshifts).index(6.0)] * (0.8 / results.get_sigma8_0()) ** 2
    np.testing.assert_allclose(lognormal.linear_power(k, REFERENCE), expected, rtol=EISENSTEIN_HU)


def test_reference_map_has_pixel_sd_of_0_4_dex():
    assert np.sqrt(np.mean(lognormal.mode_variance(REFERENCE, 64))) == pytest.approx(0.4, rel=FLOAT64)


def test_mode_variance_scales_with_sigma_8_and_not_with_the_map_size():
    """The same k on finer grids has the same power: variance without noise, times pixel area."""
    signal = {n: (lognormal.mode_variance(REFERENCE, n) - 0.05**2) / n**2 for n in (16, 64)}
    np.testing.assert_allclose(signal[16][:8, :8], signal[64][:8, :8], rtol=FLOAT64)
    doubled = lognormal.mode_variance([0.3, 1.6], 16) - 0.05**2
    np.testing.assert_allclose(doubled, 4.0 * 16**2 * signal[16], rtol=FLOAT64)


def test_mode_variance_of_rows_is_that_of_single_points():
    rows = lognormal.mode_variance(np.stack([REFERENCE, OTHER, REFERENCE]), 8)
    assert rows.shape == (3, 8, 8)
    for row, theta in zip(rows, (REFERENCE, OTHER, REFERENCE), strict=True):
        np.testing.assert_array_equal(row, lognormal.mode_variance(theta, 8))


@pytest.mark.parametrize("map_size", [5, 6, 8])
def test_density_is_the_multivariate_normal_of_the_explicit_covariance(map_size):
    theta = np.stack([REFERENCE, OTHER, REFERENCE])
    maps = lognormal.sample(theta, map_size, seed=3)
    values = np.log10(maps.astype(np.float64)).reshape(3, -1)
    mean = np.full(map_size**2, 6.5)
    expected = [
        multivariate_normal(mean, explicit_covariance(row, map_size)).logpdf(value)
        for row, value in zip(theta, values, strict=True)
    ]
    np.testing.assert_allclose(lognormal.log_prob(maps, theta), expected, rtol=FLOAT64)


def test_density_grid_is_the_density_of_each_pair():
    theta = np.stack([REFERENCE, OTHER])
    maps = lognormal.sample(theta, 8, seed=0)
    grid = lognormal.log_prob_grid(maps, theta)
    for j in range(2):
        np.testing.assert_allclose(grid[:, j], lognormal.log_prob(maps, theta[[j, j]]), rtol=FLOAT64)


def test_density_does_not_depend_on_the_chunks(monkeypatch):
    theta = np.repeat(REFERENCE[None], 5, axis=0)
    maps = lognormal.sample(theta, 8, seed=0)
    whole = lognormal.log_prob(maps, theta)
    monkeypatch.setattr("higlow_tf.data.lognormal.density._CHUNK", 2)
    np.testing.assert_allclose(lognormal.log_prob(maps, theta), whole, rtol=FLOAT64)


def test_entropy_and_fisher_information_agree_with_the_explicit_covariance():
    def covariance(omega_m, sigma_8):
        return explicit_covariance((omega_m, sigma_8), 6)

    precision = np.linalg.inv(covariance(*OTHER))
    assert lognormal.entropy(OTHER, 6) == pytest.approx(
        multivariate_normal(np.zeros(36), covariance(*OTHER)).entropy(), rel=FLOAT64
    )
    step = 1e-4
    slopes = [
        precision @ (covariance(*(OTHER + step * axis)) - covariance(*(OTHER - step * axis))) / (2 * step)
        for axis in np.eye(2)
    ]
    expected = [[0.5 * np.trace(a @ b) for b in slopes] for a in slopes]
    np.testing.assert_allclose(lognormal.fisher_information(OTHER, 6), expected, rtol=10 * DIFFERENCE)


def test_fisher_information_about_sigma_8_in_closed_form():
    variance = lognormal.mode_variance(REFERENCE, 16)
    slope = 2.0 / 0.8 * (variance - 0.05**2) / variance
    information = lognormal.fisher_information(REFERENCE, 16)
    assert information[1, 1] == pytest.approx(0.5 * np.sum(slope**2), rel=DIFFERENCE)


def test_entropy_is_the_mean_of_minus_log_prob():
    """Log p has variance n**2 / 2 exactly: half a chi-squared with n**2 degrees of freedom."""
    num_maps, map_size = 400, 16
    theta = np.repeat(OTHER[None], num_maps, axis=0)
    surprise = -lognormal.log_prob(lognormal.sample(theta, map_size, seed=1), theta)
    error = np.sqrt(map_size**2 / 2 / num_maps)
    assert abs(surprise.mean() - lognormal.entropy(OTHER, map_size)) < SIGMAS * error
    assert surprise.var() == pytest.approx(map_size**2 / 2, rel=SIGMAS * np.sqrt(2 / num_maps))
    both = lognormal.entropy(theta[:2], map_size)
    np.testing.assert_allclose(both, [lognormal.entropy(OTHER, map_size)] * 2, rtol=FLOAT64)


def test_power_in_every_ring_is_a_chi_squared_of_its_modes():
    """The spectrum of the samples, k = 0 among it: each ring's sum over its variance has `count` degrees a map."""
    num_maps, map_size = 400, 16
    theta = np.repeat(REFERENCE[None], num_maps, axis=0)
    power = ring_power(lognormal.sample(theta, map_size, seed=2)).sum(axis=0)
    statistic = power / ring_variance(REFERENCE[None], map_size)[0]
    degrees = num_maps * rings(map_size).count
    tails = chi2.cdf(statistic, degrees)
    assert kstest(tails, "uniform").pvalue > P_VALUE
    smallest = 0.5 * P_VALUE / len(tails)
    assert smallest < tails.min()
    assert tails.max() < 1.0 - smallest


def test_self_conjugate_modes_are_real_and_carry_their_whole_variance():
    num_maps, map_size = 600, 8
    theta = np.repeat(REFERENCE[None], num_maps, axis=0)
    maps = lognormal.sample(theta, map_size, seed=4).astype(np.float64)
    modes = np.fft.fft2(np.log10(maps) - 6.5, norm="ortho")
    variance = lognormal.mode_variance(REFERENCE, map_size)
    for index in ((0, 0), (0, 4), (4, 0), (4, 4)):
        mode = modes[:, *index]
        assert np.abs(mode.imag).max() < FLOAT64
        assert np.mean(mode.real**2) == pytest.approx(variance[index], rel=SIGMAS * np.sqrt(2 / num_maps))
    pair = modes[:, 1, 3]
    for part in (pair.real, pair.imag):
        assert np.mean(part**2) == pytest.approx(variance[1, 3] / 2, rel=SIGMAS * np.sqrt(2 / num_maps))


@settings(deadline=None, max_examples=15)
@given(st.integers(-8, 8), st.integers(-8, 8), st.booleans(), st.booleans(), st.booleans())
def test_density_does_not_see_shifts_flips_and_transposition(rows, columns, flip_rows, flip_columns, transpose):
    maps = lognormal.sample(OTHER[None], 8, seed=5)
    moved = np.roll(maps, (rows, columns), axis=(1, 2))
    moved = moved[:, :: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    moved = moved.transpose(0, 2, 1) if transpose else moved
    theta = REFERENCE[None]
    np.testing.assert_allclose(lognormal.log_prob(moved, theta), lognormal.log_prob(maps, theta), rtol=FLOAT64)


def test_a_sampled_row_depends_on_its_seed_its_number_and_its_parameters_only():
    theta = np.stack([REFERENCE, OTHER, REFERENCE])
    maps = lognormal.sample(theta, 8, seed=6)
    assert maps.dtype == np.float32
    assert maps.shape == (3, 8, 8)
    np.testing.assert_array_equal(lognormal.sample(theta[:1], 8, seed=6), maps[:1])
    np.testing.assert_array_equal(lognormal.sample(theta[1:], 8, seed=6, first_row=1), maps[1:])
    assert not np.any(maps[0] == maps[2])
    assert not np.any(lognormal.sample(theta, 8, seed=7) == maps)


def marginal_ranks(posterior, theta):
    """Posterior probability below the truth, for each parameter; mass is spread evenly over a cell."""
    points = round(np.sqrt(len(posterior.theta_grid)))
    mass = np.exp(posterior.log_posterior).reshape(-1, points, points)
    ranks = []
    for j, (low, high) in enumerate(((0.1, 0.5), (0.6, 1.0))):
        edges = np.linspace(low, high, points + 1)
        marginal = mass.sum(axis=2 - j)
        below = np.concatenate([np.zeros((len(mass), 1)), np.cumsum(marginal, axis=1)], axis=1)
        ranks.append([np.interp(value, edges, row) for value, row in zip(theta[:, j], below, strict=True)])
    return np.array(ranks)


def test_exact_posterior_is_calibrated_and_a_sharpened_one_is_not():
    theta = np.random.default_rng(0).uniform((0.1, 0.6), (0.5, 1.0), size=(200, 2))
    posterior = lognormal.exact_posterior_grid(lognormal.sample(theta, 16, seed=8), points_per_axis=32)
    for ranks in marginal_ranks(posterior, theta):
        assert kstest(ranks, "uniform").pvalue > P_VALUE
    sharpened = 8.0 * posterior.log_posterior
    sharpened -= np.logaddexp.reduce(sharpened, axis=1, keepdims=True)
    for ranks in marginal_ranks(posterior._replace(log_posterior=sharpened), theta):
        assert kstest(ranks, "uniform").pvalue < P_VALUE
    pull_squared = ((theta - posterior.mean) / posterior.sd) ** 2
    error = pull_squared.std(axis=0) / np.sqrt(len(theta))
    assert np.all(np.abs(pull_squared.mean(axis=0) - 1.0) < SIGMAS * error)


def test_exact_posterior_is_normalised_on_its_grid():
    maps = lognormal.sample(np.stack([REFERENCE, OTHER]), 16, seed=9)
    posterior = lognormal.exact_posterior_grid(maps, points_per_axis=12)
    mass = np.exp(posterior.log_posterior)
    assert posterior.theta_grid.shape == (144, 2)
    assert mass.shape == (2, 144)
    np.testing.assert_allclose(posterior.theta_grid.min(axis=0), (0.1 + 0.2 / 12, 0.6 + 0.2 / 12), rtol=FLOAT64)
    np.testing.assert_allclose(mass.sum(axis=1), 1.0, rtol=FLOAT64)
    np.testing.assert_allclose(posterior.mean, mass @ posterior.theta_grid, rtol=FLOAT64)
    second_moment = mass @ posterior.theta_grid**2
    np.testing.assert_allclose(posterior.sd**2, second_moment - posterior.mean**2, rtol=1e3 * FLOAT64)  # cancellation
    ratio = np.diff(posterior.log_posterior[:, :2], axis=1)[:, 0]
    log_prob = lognormal.log_prob_grid(maps, posterior.theta_grid[:2])
    np.testing.assert_allclose(ratio, log_prob[:, 1] - log_prob[:, 0], rtol=1e3 * FLOAT64)  # cancellation


MAPS = np.ones((2, 4, 4), dtype=np.float32)
THETA = np.stack([REFERENCE, OTHER])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lognormal.mode_variance([0.04, 0.8], 8), r"Omega_m.*Received: \[0.04, 0.8\] in row 0"),
        (lambda: lognormal.mode_variance([0.3, -0.8], 8), r"sigma_8 > 0.*row 0"),
        (lambda: lognormal.mode_variance([[0.3, 0.8], [np.nan, 0.8]], 8), r"row 1"),
        (lambda: lognormal.mode_variance([[0.3, 0.8, 1.0]], 8), r"shape \[N, 2\].*Received: shape \(1, 3\)"),
        (lambda: lognormal.mode_variance(REFERENCE, 1), r"map_size.*Received: 1"),
        (lambda: lognormal.mode_variance(REFERENCE, 8.0), r"map_size.*Received: 8.0"),
        (lambda: lognormal.mode_variance(REFERENCE, 8, box_size_mpc_h=4.0), r"box_size_mpc_h.*Received: 4.0"),
        (lambda: lognormal.sample(THETA, 8, seed=-1), r"seed.*Received: -1"),
        (lambda: lognormal.sample(THETA, 8, seed=0.5), r"seed.*Received: 0.5"),
        (lambda: lognormal.log_prob(MAPS, THETA[:1]), r"one row of theta.*Received: 2 maps, 1 rows"),
        (lambda: lognormal.log_prob(MAPS[0], THETA), r"\[N, n, n\].*Received: shape \(4, 4\)"),
        (lambda: lognormal.log_prob(MAPS * [[[1.0]], [[0.0]]], THETA), r"positive, finite.*map 1"),
        (lambda: lognormal.log_prob(MAPS * [[[1.0]], [[np.nan]]], THETA), r"positive, finite.*map 1"),
        (lambda: lognormal.log_prob_grid(MAPS, [[2.0, 0.8]]), r"theta_grid.*Received"),
        (lambda: lognormal.exact_posterior_grid(MAPS, points_per_axis=1), r"points_per_axis.*Received: 1"),
    ],
)
def test_wrong_input_is_one_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()
