"""Posterior of the parameters from any object with `log_prob(hi_maps, theta)` and `parameters`."""

from higlow_tf.inference.calibration import Calibration
from higlow_tf.inference.calibration_fit import CalibrationFit, fit_calibration
from higlow_tf.inference.ensemble import FlowEnsemble, ensemble_of, num_flows_of
from higlow_tf.inference.infer import infer
from higlow_tf.inference.marginal_likelihood import MarginalLikelihood, parameters_of_interest
from higlow_tf.inference.nuisance_proposal import NuisanceProposal
from higlow_tf.inference.posterior import Posterior, load_posterior
from higlow_tf.inference.prior_grid import PriorGrid
from higlow_tf.inference.priors import Prior
from higlow_tf.inference.symmetry import symmetry_indices
from higlow_tf.inference.typicality import Typicality, TypicalityReference
from higlow_tf.inference.typicality_features import typicality_features
from higlow_tf.inference.uniform_grid import (
    log_likelihood_of_copies,
    log_likelihood_on_grid,
    theta_grid_over_prior,
    theta_lattice_over_prior,
)

__all__ = [
    "Calibration",
    "CalibrationFit",
    "FlowEnsemble",
    "MarginalLikelihood",
    "NuisanceProposal",
    "Posterior",
    "Prior",
    "PriorGrid",
    "Typicality",
    "TypicalityReference",
    "ensemble_of",
    "fit_calibration",
    "infer",
    "load_posterior",
    "log_likelihood_of_copies",
    "log_likelihood_on_grid",
    "num_flows_of",
    "parameters_of_interest",
    "symmetry_indices",
    "theta_grid_over_prior",
    "theta_lattice_over_prior",
    "typicality_features",
]
