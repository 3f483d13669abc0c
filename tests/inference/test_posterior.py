"""What a posterior offers, its file, and work that goes on after an interruption."""

import json

import h5py
import numpy as np
import pytest
from exact_models import TWO, GaussianModel, correlated

from higlow_tf.errors import InputError
from higlow_tf.inference import (
    Calibration,
    Posterior,
    PriorGrid,
    infer,
    load_posterior,
    log_likelihood_on_grid,
)

METHODS = [{}, {"method": "importance", "num_draws": 1000}]


@pytest.fixture
def model():
    return GaussianModel(TWO, correlated([0.1, 0.05], 0.7))


@pytest.fixture(params=METHODS, ids=["grid", "importance"])
def posterior(request, model):
    maps = model.maps_at([0.2, 0.1], [-0.3, 0.4])
    return infer(model, maps, calibration=Calibration(label="none needed"), **request.param)


def test_hpd_region_holds_its_mass(posterior):
    for level in (0.3, 0.68, 0.95):
        inside = posterior.log_density >= posterior.hpd_region(level)[:, None]
        held = np.sum(np.exp(posterior.log_posterior) * inside, axis=1)
        # The last point tips the balance.
        np.testing.assert_allclose(held, level, atol=np.exp(posterior.log_posterior.max()))
    with pytest.raises(InputError, match="level: expected a mass between 0 and 1"):
        posterior.hpd_region(68)


def test_marginal(posterior):
    for names in ("sigma_8", ["sigma_8", "Omega_m"]):
        marginal = posterior.marginal(names)
        columns = [1] if names == "sigma_8" else [1, 0]
        assert marginal.parameters.names == tuple(TWO[column] for column in columns)
        np.testing.assert_allclose(marginal.mean, posterior.mean[:, columns])
        np.testing.assert_allclose(marginal.sd, posterior.sd[:, columns])
        np.testing.assert_allclose(marginal.at_edge, posterior.at_edge[:, columns], atol=1e-12)
        assert list(marginal.prior["low"]) == list(marginal.parameters.names)
    with pytest.raises(InputError, match="did you mean 'sigma_8'"):
        posterior.marginal("sigma8")


def test_marginal_density_is_that_of_the_sum(model):
    marginal = infer(model, model.maps_at([0.2, 0.1])).marginal("sigma_8")
    distance = np.array([0.3, 1.0, 2.0])
    levels = [marginal.hpd_level([[0.82 + 0.01 * d]])[0] for d in distance]
    # Mass of |z| < d under a normal; cells of a tenth of a standard deviation, interpolated.
    np.testing.assert_allclose(levels, [0.2358, 0.6827, 0.9545], atol=0.01)
    assert marginal.map_estimate[0, 0] == pytest.approx(0.82, abs=1e-4)


def test_getdist_agrees(posterior):
    samples = posterior.to_getdist(1)
    assert samples.getParamNames().list() == list(TWO)
    # 20000 draws of a grid, or the very draws: error of a mean 0.7 % of a standard deviation, five of them.
    np.testing.assert_allclose((samples.getMeans()[:2] - posterior.mean[1]) / posterior.sd[1], 0.0, atol=0.035)
    np.testing.assert_allclose(np.sqrt(samples.getVars()[:2]) / posterior.sd[1], 1.0, atol=0.03)


def test_file_round_trip(posterior, tmp_path):
    file = tmp_path / "posterior.h5"
    posterior.save(file)
    loaded = load_posterior(file)
    for name in ("theta_grid", "log_posterior", "mean", "sd", "covariance", "map_estimate", "at_edge"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(posterior, name))
    for name in ("parameters", "method", "prior", "calibration", "combine", "notes", "shape"):
        assert getattr(loaded, name) == getattr(posterior, name)
    assert loaded.diagnostics.keys() == posterior.diagnostics.keys()
    np.testing.assert_array_equal(loaded.hpd_level(posterior.mean), posterior.hpd_level(posterior.mean))
    with h5py.File(file) as h5:
        np.testing.assert_array_equal(h5["mean"], posterior.mean)
        assert json.loads(h5.attrs["parameters"]) == posterior.parameters.to_config()
    with pytest.raises(InputError, match="expected a path that does not exist"):
        posterior.save(file)


def test_simulation_indices_are_kept(model, tmp_path):
    posterior = infer(model, model.maps_at([0.2, 0.1], [0.2, 0.2]), combine=[4, 4], map_correlation=1.0)
    posterior.save(tmp_path / "posterior.h5")
    np.testing.assert_array_equal(load_posterior(tmp_path / "posterior.h5").simulation, [4])


def test_wrong_files(posterior, tmp_path):
    file = tmp_path / "posterior.h5"
    with pytest.raises(InputError, match="Received: no file"):
        load_posterior(file)
    file.write_text("no HDF5")
    with pytest.raises(InputError, match="expected a posterior file"):
        load_posterior(file)
    posterior.save(file, overwrite=True)
    with h5py.File(file, "a") as h5:
        del h5["boxes"]
    with pytest.raises(InputError, match="boxes"):
        load_posterior(file)
    with h5py.File(file, "a") as h5:
        h5.attrs["format_version"] = 2
    with pytest.raises(InputError, match="expected format_version 1 or older. Received: 2"):
        load_posterior(file)


def test_wrong_theta(posterior):
    with pytest.raises(InputError, match=r"theta: expected one row a posterior, \[2, 2\]"):
        posterior.hpd_level([[0.3, 0.8]])


def test_prior_grid_agrees_with_the_adaptive_one(model):
    maps = model.maps_at([0.2, 0.1], [-0.3, 0.4])
    theta_grid, log_likelihood = log_likelihood_on_grid(model, maps, points_per_axis=24)
    grid, adaptive = PriorGrid(log_likelihood, theta_grid, model.parameters), infer(model, maps)
    mass = np.exp(grid.log_mass(1.0, (0.0, 0.0)))
    mean = mass @ grid.points
    # Fine cells are a third of the narrower standard deviation wide.
    np.testing.assert_allclose(mean, adaptive.mean, atol=1e-4)
    np.testing.assert_allclose(np.sqrt(mass @ grid.points**2 - mean**2), adaptive.sd, rtol=0.02)


def test_log_likelihood_on_grid_is_raw(model):
    theta_grid, log_likelihood = log_likelihood_on_grid(model, model.maps_at([0.2, 0.1]), points_per_axis=3)
    assert theta_grid.shape == (9, 2)
    np.testing.assert_allclose(theta_grid[:, 1].reshape(3, 3)[0], [0.6, 0.8, 1.0])
    np.testing.assert_allclose(log_likelihood[0], model.log_prob(np.tile([[[0.2, 0.1]]], (9, 1, 1)), theta_grid))


def test_posterior_has_the_length_of_its_maps(posterior):
    assert isinstance(posterior, Posterior)
    assert len(posterior) == 2
