"""Posterior of the parameters from any object with `log_prob(maps, theta)`."""

from higlow_tf.inference.grid import GridPosterior, grid_posterior, theta_grid_over_prior

__all__ = ["GridPosterior", "grid_posterior", "theta_grid_over_prior"]
