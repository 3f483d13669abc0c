"""Posteriors against the true parameters: those that the posterior is of."""

from types import SimpleNamespace

import numpy as np
import pytest

from higlow_tf.data import HIMapDataset
from higlow_tf.errors import InputError
from higlow_tf.evaluation.posterior_scores import score_posteriors
from higlow_tf.inference import infer

PARAMETERS = ("A_SN1", "Omega_m", "sigma_8", "A_AGN1")


class OnlyTwo:
    """A Gaussian likelihood of Omega_m and sigma_8 in the first two pixels."""

    def __init__(self, parameters):
        self.parameters = parameters

    def log_prob(self, hi_maps, theta):
        return -0.5 * np.sum(((np.asarray(hi_maps)[:, 0, :2] - np.asarray(theta)) / 0.05) ** 2, axis=1)


@pytest.fixture
def data(rng):
    theta = rng.uniform([0.3, 0.2, 0.7, 0.3], [3.0, 0.4, 0.9, 3.0], (6, 4))
    maps = np.ones((6, 4, 4))
    maps[:, 0, :2] = theta[:, 1:3]
    return HIMapDataset.from_arrays(maps, theta, parameters=PARAMETERS)


def test_the_truth_is_that_of_the_parameters_of_the_posterior(data):
    model = OnlyTwo(data.parameters.without(("A_SN1", "A_AGN1")))
    answers = SimpleNamespace(posterior=lambda maps: infer(model, maps, warn_of_maps=False))
    scores = score_posteriors(answers, data, nuisance=("A_SN1", "A_AGN1"))
    np.testing.assert_array_equal(scores.truth, data.theta[:, 1:3])
    assert scores.metrics["rmse_sigma_8"].value < 0.02
    assert "rmse_A_SN1" not in scores.metrics


def test_too_many_parameters_are_asked_for(data):
    with pytest.raises(InputError, match="at most 3 parameters. Received: 4"):
        score_posteriors(SimpleNamespace(), data)
