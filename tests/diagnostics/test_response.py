"""Derivatives of ln P(k): exact for polynomial spectra, right for the lognormal suite, errors of the right size."""

import numpy as np
import pytest
from toy_samples import paired_samples, samples_of

from higlow_tf.data import lognormal
from higlow_tf.diagnostics.response import power_response
from higlow_tf.errors import InputError, InputWarning

NAMES = ("Omega_m", "sigma_8")
ROUNDING = 1e-9  # float64: FFTs, a well-conditioned 6 x 6 system
NUM_PIXELS = 16
RING = np.rint(np.hypot(np.fft.fftfreq(16, 1 / 16)[:, None], np.fft.rfftfreq(16, 1 / 16))).astype(int)


def parameters(num_simulations, seed=0):
    return np.random.default_rng(seed).uniform([0.2, 0.7], [0.4, 0.9], size=(num_simulations, 2))


def maps_with_power(log_power, seed=0):
    """Maps `[N, n, n]` whose ln P in each bin is `[N, 8]` but for one common spectrum: one field, filtered."""
    modes = np.fft.rfft2(np.random.default_rng(seed).normal(size=(NUM_PIXELS, NUM_PIXELS)))
    factors = np.exp(0.5 * np.hstack([np.zeros((len(log_power), 1)), log_power, np.zeros((len(log_power), 4))]))
    return 10 ** (6.5 + 0.1 * np.fft.irfft2(modes * factors[:, RING], s=(NUM_PIXELS, NUM_PIXELS)))


def test_polynomial_spectra_have_their_exact_derivatives():
    rng = np.random.default_rng(1)
    theta, generated_theta = parameters(40), parameters(30, seed=2)
    linear, quadratic, generated_linear = rng.normal(size=(2, 8)), rng.normal(size=(2, 2, 8)), rng.normal(size=(2, 8))
    at = np.array([0.3, 0.75])
    real = maps_with_power(theta @ linear + np.einsum("np,nq,pqk->nk", theta, theta, quadratic))
    generated = maps_with_power(generated_theta @ generated_linear)
    samples = samples_of(real, generated, real_theta=theta, generated_theta=generated_theta)
    result = power_response(samples, parameter_names=NAMES, at=at)
    expected = linear + np.einsum("q,pqk->pk", at, quadratic + np.swapaxes(quadratic, 0, 1))
    assert result.real == pytest.approx(expected, abs=100 * ROUNDING)
    assert result.generated == pytest.approx(generated_linear, abs=100 * ROUNDING)
    assert result.difference == pytest.approx(generated_linear - expected, abs=100 * ROUNDING)
    # Every map is on the polynomial, so that no resample gives another one.
    for error in (result.real_error, result.generated_error, result.difference_error, result.floor):
        assert error == pytest.approx(0.0, abs=1e4 * ROUNDING)
    assert (result.parameter_names, result.num_real_simulations, result.num_generated_simulations) == (NAMES, 40, 30)


def lognormal_suite(num_simulations=60, maps_per_simulation=4, seed=0):
    theta = np.repeat(parameters(num_simulations), maps_per_simulation, axis=0)
    return lognormal.sample(theta, NUM_PIXELS, seed), theta, np.repeat(np.arange(num_simulations), maps_per_simulation)


def response_of(real, generated, theta, simulation):
    samples = paired_samples(real, generated, simulation, real_theta=theta, generated_theta=theta)
    return power_response(samples, parameter_names=NAMES)


def derivative_of_the_model(at):
    """Derivatives of ln of the mean power of each bin, by central differences of the suite's own power."""
    ring = np.rint(np.hypot(np.fft.fftfreq(16, 1 / 16)[:, None], np.fft.fftfreq(16, 1 / 16))).astype(int)
    step = 1e-4 * np.eye(2)

    def log_power(theta):
        variance = lognormal.mode_variance(theta, NUM_PIXELS)
        return np.log([variance[ring == bin_].mean() for bin_ in range(1, 9)])

    return np.array([(log_power(at + shift) - log_power(at - shift)) / 2e-4 for shift in step])


def test_lognormal_suite_has_the_derivative_of_its_power():
    maps, theta, simulation = lognormal_suite()
    again, _, _ = lognormal_suite(seed=1)
    result = response_of(maps, again, theta, simulation)
    assert result.at == pytest.approx([0.3, 0.8], abs=0.02)  # the middle of the range
    expected = derivative_of_the_model(result.at)
    # 16 nearly independent pulls a side: the mean square scatters by 0.35 (0.25 for both).
    pulls = np.array(
        [(result.real - expected) / result.real_error, (result.generated - expected) / result.generated_error]
    )
    assert np.mean(pulls**2) == pytest.approx(1.0, abs=0.75)
    assert np.mean((result.difference / result.difference_error) ** 2) == pytest.approx(1.0, abs=0.9)
    assert np.mean(np.abs(result.difference)) / np.mean(result.floor) == pytest.approx(1.0, abs=0.5)
    # The test could not fail if the errors were larger than the derivative.
    assert np.sum((expected / result.real_error)[1] ** 2) > 100


def test_a_generator_that_ignores_a_parameter_is_seen():
    maps, theta, simulation = lognormal_suite()
    deaf = lognormal.sample(np.column_stack([theta[:, 0], np.full(len(theta), 0.8)]), NUM_PIXELS, seed=2)
    result = response_of(maps, deaf, theta, simulation)
    significance = np.sum((result.difference / np.maximum(result.difference_error, result.floor)) ** 2, axis=1)
    assert significance[1] > 50  # about 8 for a good generator
    assert significance[0] < 25


def test_few_simulations_have_derivatives_without_errors():
    maps, theta, simulation = lognormal_suite(num_simulations=20)
    with pytest.warns(InputWarning, match=r"power_response: no error bar.*at least 24 simulations.*Received: 20"):
        result = response_of(maps, maps, theta, simulation)
    assert result.difference == pytest.approx(0.0, abs=ROUNDING)
    assert result.real_error is result.generated_error is result.difference_error is result.floor is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": [0.3, 1.5]}, r"at: .*Received: \[0\.3 1\.5\]"),
        ({"at": [0.3]}, r"at: .*Received: \[0\.3\]"),
        ({"parameter_names": ("a",)}, r"real_theta: .*one column a name\. Received: \(8, 2\)"),
        ({"generated_theta": None}, r"generated_theta: .*one column a name\. Received: None"),
        ({"generated_theta": np.tile([0.3, 0.8], (8, 1))}, r"generated_theta: .*6 coefficients.*that determine 1\."),
        ({"generated_maps": np.ones((8, 16, 16))}, r"generated_maps: .*Received: 8 of 8 maps with no power"),
    ],
)
def test_wrong_input(change, message):
    maps, theta = maps_with_power(np.zeros((8, 8))), parameters(8)
    arguments = {"generated_maps": maps, "generated_theta": theta, "parameter_names": NAMES, "at": None} | change
    samples = paired_samples(
        maps, arguments["generated_maps"], real_theta=theta, generated_theta=arguments["generated_theta"]
    )
    with pytest.raises(InputError, match=message):
        power_response(samples, parameter_names=arguments["parameter_names"], at=arguments["at"])
