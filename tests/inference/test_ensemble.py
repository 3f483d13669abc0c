"""Likelihoods averaged over the flows of an ensemble."""

import numpy as np
import pytest
from exact_models import TWO, GaussianModel, TensorFlowGaussianModel

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.inference import Calibration, FlowEnsemble, MarginalLikelihood, ensemble_of, infer, num_flows_of
from higlow_tf.inference.likelihood import MapLikelihood

SD = 0.1
# The grid's own tolerance, in standard deviations, and the Monte Carlo error of the draws of the other methods.
TOLERANCE_SD = {"grid": 0.01, "importance": 0.1, "nuts": 0.15}


def biased_model(offset):
    """Takes maps that lie beside the parameters by an offset for the parameters."""

    class Biased(TensorFlowGaussianModel):
        def log_prob(self, hi_maps, theta):
            return super().log_prob(hi_maps + np.asarray(offset), theta)

    return Biased(TWO, SD**2 * np.eye(2))


class Shelf:
    """Companions that are in memory."""

    def __init__(self, *flows):
        self._flows = flows

    def count(self):
        return len(self._flows)

    def load(self, count):
        return self._flows[:count]


@pytest.fixture
def flows():
    """Their errors are the corners of a triangle round the origin."""
    return [biased_model(offset) for offset in ([0.2, 0.0], [-0.1, 0.15], [-0.1, -0.15])]


@pytest.fixture
def model(flows):
    flows[0].companions = Shelf(*flows[1:])
    return flows[0]


HI_MAPS = np.array([[[0.3, -0.2]], [[-0.1, 0.4]]])


@pytest.mark.parametrize("method", ["grid", "importance", pytest.param("nuts", marks=pytest.mark.slow)])
def test_every_method_averages_over_the_flows(flows, method):
    # A mean of parabolas of the same width is one about the mean of their centres: the errors cancel.
    posterior = infer(FlowEnsemble(flows), HI_MAPS, method=method)
    expected = flows[0].parameters.denormalize(HI_MAPS[:, 0])
    np.testing.assert_allclose(posterior.mean, expected, atol=TOLERANCE_SD[method] * 0.2 * SD)
    np.testing.assert_allclose(posterior.sd, 0.2 * SD, rtol=TOLERANCE_SD[method])
    alone = infer(flows[0], HI_MAPS)
    assert np.all(np.abs(alone.mean[:, 0] - expected[:, 0]) > 0.1 * SD)


def test_a_model_finds_its_companions(model, flows):
    asked = infer(model, HI_MAPS, num_flows=3)
    np.testing.assert_array_equal(asked.log_posterior, infer(FlowEnsemble(flows), HI_MAPS).log_posterior)
    two = infer(model, HI_MAPS, num_flows=2)
    np.testing.assert_array_equal(two.log_posterior, infer(FlowEnsemble(flows[:2]), HI_MAPS).log_posterior)
    assert np.abs(two.mean - asked.mean).max() > 0.001
    assert num_flows_of(model) == num_flows_of(FlowEnsemble(flows)) == 3
    assert num_flows_of(GaussianModel(TWO, np.eye(2))) == 1


def test_a_stored_calibration_says_how_many_flows(model, flows):
    model.calibration = Calibration(tempering=0.5, num_flows=3).to_config()
    stored = infer(model, HI_MAPS)
    expected = infer(FlowEnsemble(flows), HI_MAPS, calibration=Calibration(tempering=0.5, num_flows=3))
    np.testing.assert_array_equal(stored.log_posterior, expected.log_posterior)
    assert stored.calibration.num_flows == 3
    # Raw posteriors are those of the flow alone, unless one asks for more.
    np.testing.assert_array_equal(
        infer(model, HI_MAPS, calibration=None).log_posterior,
        infer(flows[0], HI_MAPS, num_flows=1, calibration=None).log_posterior,
    )


@pytest.mark.parametrize(("fitted", "asked"), [(3, 2), (1, 3), (3, 1)])
def test_a_calibration_of_another_number_of_flows_is_refused(model, fitted, asked):
    calibration = Calibration(tempering=0.5, num_flows=fitted)
    sentence = rf"calibration: expected one that was fitted with {asked} flows .* Received: one of {fitted}\."
    with pytest.raises(InputError, match=sentence):
        infer(model, HI_MAPS, num_flows=asked, calibration=calibration)


def test_more_flows_than_there_are_are_refused(model, flows):
    with pytest.raises(
        InputError, match=r"ensemble: expected 4 flows \(higlow train --ensemble 4\)\. Received: a model of 3"
    ):
        infer(model, HI_MAPS, num_flows=4)
    with pytest.raises(InputError, match="Received: a model of 1"):
        infer(flows[1], HI_MAPS, num_flows=2)
    with pytest.raises(InputError, match="Received: a model of 2"):
        infer(FlowEnsemble(flows[:2]), HI_MAPS, calibration=None, num_flows=3)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_a_number_of_flows_is_checked(model, value):
    with pytest.raises(InputError, match=r"num_flows: expected a positive integer\. Received"):
        infer(model, HI_MAPS, num_flows=value)
    with pytest.raises(InputError, match=r"num_flows: expected a positive integer\. Received"):
        Calibration(num_flows=value)


def test_flows_of_other_parameters_maps_or_splits_are_refused(flows):
    with pytest.raises(InputError, match=r"flows: expected two or more\. Received: 1"):
        FlowEnsemble(flows[:1])
    with pytest.raises(InputError, match="flows: expected flow 2 with the parameters of the first"):
        FlowEnsemble([flows[0], TensorFlowGaussianModel(("Omega_m", "A_SN1"), np.eye(2))])
    flows[2].nuisance = ("sigma_8",)
    with pytest.raises(InputError, match="flows: expected flow 3 with the nuisance of the first"):
        FlowEnsemble(flows)
    flows[0].split, flows[1].split = (
        {"content_hash": "a", "simulations": {"train": [simulation]}} for simulation in (1, 2)
    )
    with pytest.raises(InputError, match="flows: expected flow 2 with the split of the first"):
        FlowEnsemble(flows[:2])


def test_a_kept_posterior_of_other_flows_is_not_taken(model, tmp_path):
    means = [infer(model, HI_MAPS, num_flows=n, cache_dir=tmp_path).mean for n in (1, 2, 3, 1)]
    np.testing.assert_array_equal(means[0], means[3])
    assert all(np.abs(means[0] - other).max() > 0.001 for other in means[1:3])


def test_a_calibration_without_the_key_is_that_of_one_flow():
    config = Calibration(tempering=0.5).to_config()
    del config["num_flows"]
    assert Calibration.from_config(config).num_flows == 1


def test_the_nuisance_is_integrated_after_the_mean():
    """As of copies: the flows have the same nuisance in one term of the integral."""
    names = ("Omega_m", "A_SN1")

    class Tilted(GaussianModel):
        tilt = 0.0
        nuisance = ("A_SN1",)

        def log_prob(self, hi_maps, theta):
            return super().log_prob(hi_maps, theta) + self.tilt * self.parameters.normalize(theta)[:, 1]

    flows = [Tilted(names, 0.2**2 * np.eye(2)) for _ in range(2)]
    flows[0].tilt, flows[1].tilt = 30.0, -30.0
    flat = Tilted(names, 0.2**2 * np.eye(2))
    hi_map, theta = np.array([[0.1, 0.2]]), np.linspace(0.15, 0.45, 5)[:, None]
    averaged = MapLikelihood(MarginalLikelihood(FlowEnsemble(flows)), hi_map, 0)(theta)
    np.testing.assert_allclose(averaged, MapLikelihood(MarginalLikelihood(flat), hi_map, 0)(theta), rtol=1e-12)
    apart = [MapLikelihood(MarginalLikelihood(flow), hi_map, 0)(theta) for flow in flows]
    assert np.abs(averaged - np.mean(apart, axis=0)).max() > 1.0


def test_all_else_is_that_of_the_first_flow(model, flows):
    ensemble = FlowEnsemble(flows)
    assert ensemble.parameters == ParameterSpace.from_names(TWO)
    assert ensemble_of(ensemble, 1) is flows[0]
    assert ensemble_of(ensemble, 2).flows == tuple(flows[:2])
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = ensemble.no_such_thing
