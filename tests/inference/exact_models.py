"""Models whose posterior is known: a Gaussian round the normalised parameters, and the lognormal suite."""

import numpy as np
import tensorflow as tf

from higlow_tf.data import lognormal
from higlow_tf.data.parameters import CAMELS_PARAMETERS, ParameterSpace


class GaussianModel:
    """A "map" [1, P] is the normalised parameters plus Gaussian noise: NumPy, linear, conjugate."""

    def __init__(self, names, covariance):
        self.parameters = ParameterSpace.from_names(names)
        self.covariance = np.asarray(covariance, dtype=np.float64)
        self.precision = np.linalg.inv(self.covariance)
        self.num_rows = 0

    def log_prob(self, hi_maps, theta):
        self.num_rows += len(theta)
        residual = np.asarray(hi_maps, np.float64)[:, 0] - self.parameters.normalize(theta)
        return -0.5 * np.einsum("ni,ij,nj->n", residual, self.precision, residual)

    def simulate(self, theta, rng):
        noise = rng.multivariate_normal(np.zeros(len(self.parameters)), self.covariance, len(theta))
        return (self.parameters.normalize(theta) + noise)[:, None]

    def maps_at(self, *normalized):
        return np.array(normalized, dtype=np.float64)[:, None]


class TensorFlowGaussianModel(GaussianModel):
    """The same in TensorFlow, differentiable by theta; for uniform parameters."""

    def log_prob(self, hi_maps, theta):
        low, high = self.parameters.low, self.parameters.high
        normalized = (tf.cast(theta, tf.float64) - low) * (2.0 / (high - low)) - 1.0
        residual = tf.cast(hi_maps, tf.float64)[:, 0] - normalized
        return -0.5 * tf.einsum("ni,ij,nj->n", residual, tf.constant(self.precision), residual)


class LognormalModel:
    """The exact density of the lognormal suite."""

    parameters = ParameterSpace.from_names(["Omega_m", "sigma_8"])

    def log_prob(self, hi_maps, theta):
        return lognormal.log_prob(hi_maps, theta)


class BrokenModel(GaussianModel):
    """NaN where the first normalised parameter is above a bound."""

    bound = 0.0

    def log_prob(self, hi_maps, theta):
        is_bad = self.parameters.normalize(theta)[:, 0] > self.bound
        return np.where(is_bad, np.nan, super().log_prob(hi_maps, theta))


class KnownModel:
    """The log-likelihood is a function of the normalised parameters, whatever the map."""

    def __init__(self, names, function):
        self.parameters = ParameterSpace.from_names(names)
        self.function = function
        self.num_rows = 0

    def log_prob(self, hi_maps, theta):
        self.num_rows += len(theta)
        return self.function(self.parameters.normalize(theta))

    def moments(self, low=-1.0, high=1.0, tempering=1.0):
        """Mean and standard deviation, physical, by sums over 800 cells an axis of a square box in normalised coordinates."""
        axis = low + (high - low) * (np.arange(800) + 0.5) / 800
        points = np.stack(np.meshgrid(*[axis] * len(self.parameters), indexing="ij"), axis=-1)
        points = points.reshape(-1, len(self.parameters))
        log_density = tempering * self.function(points)
        mass = np.exp(log_density - log_density.max())
        mass /= mass.sum()
        theta = self.parameters.denormalize(points)
        mean = mass @ theta
        return mean, np.sqrt(mass @ (theta - mean) ** 2)


TWO = ("Omega_m", "sigma_8")
SIX = tuple(CAMELS_PARAMETERS)


def correlated(sd, rho):
    """Covariance of two parameters."""
    return np.outer(sd, sd) * [[1.0, rho], [rho, 1.0]]
