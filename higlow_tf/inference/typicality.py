"""Whether a map is like the maps that a model was trained on."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.inference.typicality_features import MEDIAN

__all__ = ["Typicality", "TypicalityReference"]

_MIN_SIMULATIONS = 4
# With more simulations several are left out at a time: fifty fits are enough.
_MAX_FOLDS = 50
# Features that a sentence names: those beyond this many standard deviations, at most so many.
_NOTABLE_SD = 3.0
_NUM_NAMED = 3
_WORDS = {
    "log_prob": "the log-density",
    "latent_mean": "the mean of the latents",
    "latent_log_variance": "the variance of the latents",
    "latent_kurtosis": "the kurtosis of the latents",
    "latent_correlation": "the correlation of neighbouring latents",
}


@dataclass(frozen=True, eq=False)
class Typicality:
    """How usual N maps are.

    Args:
        p_value: Share of maps like those of training that are as far from their centre, `[N]`; never 0.
        z_by_feature: Standard deviations of each feature from what is usual at the map's parameters, `[N, F]`.
        feature_names: Names of the F features, see `typicality_features`.
        log10_median_offset: Median of log10 of the map less that of the reference maps, `[N]`, dex; 0 for maps that are
            modelled in their own units, which have no log10.
    """

    p_value: np.ndarray
    z_by_feature: np.ndarray
    feature_names: tuple
    log10_median_offset: np.ndarray

    def warnings(self, threshold=0.01):
        """One sentence for each map with a p-value below `threshold` or a median off by more than a decade."""
        sentences = []
        for row, (p_value, offset) in enumerate(zip(self.p_value, self.log10_median_offset, strict=True)):
            is_off = not abs(offset) <= 1.0
            if p_value >= threshold and not is_off:
                continue
            clauses = [f"map {row}: unlike the training maps (p = {p_value:.2g})"]
            clauses += [_deviation_text(name, z) for name, z in self._notable(row)]
            if is_off:
                side = "above" if offset > 0 else "below"
                clauses.append(f"its median is {abs(offset):.1f} dex {side} that of the training maps: other units?")
            sentences.append("; ".join(clauses).rstrip("?.") + ("?" if is_off else "."))
        return sentences

    def _notable(self, row):
        z = self.z_by_feature[row]
        largest_first = np.argsort(-np.nan_to_num(np.abs(z), nan=np.inf))[:_NUM_NAMED]
        return [(self.feature_names[i], z[i]) for i in largest_first if not abs(z[i]) < _NOTABLE_SD]


@dataclass(frozen=True, eq=False)
class TypicalityReference:
    """What the features of usual maps are, fitted on simulations that the model was not trained on.

    The likelihood alone misleads: maps of other physics can be *more* probable. Here both directions count.

    Math:
        expected = polynomial in theta (normalised), by least squares in which every simulation weighs the same
        distance**2 = r^T covariance^-1 r,  r = (feature - expected) / sd
        covariance = (1 - s) * C + s * I,  with Ledoit and Wolf's s for C, where simulations are the independent units
        p_value = (1 + number of reference distances >= distance) / (1 + number of reference distances)
    The reference distance of a map comes from a fit without its simulation, since new maps are not in the fit either. With
    more than fifty simulations, a fiftieth of them is left out at a time.

    The polynomial is quadratic where there are three simulations a coefficient, else linear, else constant.

    Args:
        parameters: `ParameterSpace` of theta.
        feature_names: Names of the F features.
        coefficients: Of the polynomial, `[K, F]`.
        sd: Standard deviation of each feature about it, `[F]`.
        covariance: Of the standardised residuals, shrunk, `[F, F]`.
        distances: Those of the reference maps, sorted, `[M]`.
        log10_median: Mean over the reference maps of the median of log10, dex; None for maps without log10.
        num_simulations: How many simulations it was fitted on.

    References:
        [1] Ledoit & Wolf. A well-conditioned estimator for large-dimensional covariance matrices. 2004.
        [2] Nalisnick et al. Detecting out-of-distribution inputs using typicality. 2019. https://arxiv.org/abs/1906.02994
    """

    parameters: ParameterSpace
    feature_names: tuple
    coefficients: np.ndarray
    sd: np.ndarray
    covariance: np.ndarray
    distances: np.ndarray
    log10_median: float | None
    num_simulations: int

    @classmethod
    def fit(cls, features, feature_names, theta, simulation, parameters):
        """Fits the reference.

        Args:
            features, feature_names: Of `typicality_features`, `[N, F]` and F names.
            theta: The posterior means at which they were evaluated, `[N, P]`.
            simulation: Simulation of each map, `[N]`.
            parameters: `ParameterSpace` of theta.

        Raises:
            InputError: If shapes disagree, a feature is not finite, or there are fewer than four simulations.
        """
        features = _checked(features, feature_names)
        if not np.isfinite(features).all():
            raise InputError("features: expected finite numbers of reference maps. Received: some that are not.")
        names, position = np.unique(simulation, return_inverse=True)
        if position.shape != (len(features),) or len(names) < _MIN_SIMULATIONS:
            raise InputError(
                f"simulation: expected {len(features)} indices of at least {_MIN_SIMULATIONS} simulations. "
                f"Received: {position.shape[0]} of {len(names)}."
            )
        degree = _degree(len(parameters), len(names))
        design = _design(parameters.normalize(theta), degree)
        distances = np.empty(len(features))
        fold = position % _MAX_FOLDS
        for index in np.unique(fold):
            is_left_out = fold == index
            coefficients, sd, covariance = _fit(features[~is_left_out], design[~is_left_out], position[~is_left_out])
            residual = features[is_left_out] - design[is_left_out] @ coefficients
            distances[is_left_out] = _distance(residual / sd, covariance)
        fitted = _fit(features, design, position)
        names_of_features, num_simulations = tuple(feature_names), len(names)
        median = float(features[:, names_of_features.index(MEDIAN)].mean()) if MEDIAN in names_of_features else None
        return cls(parameters, names_of_features, *fitted, np.sort(distances), median, num_simulations)

    def score(self, features, theta):
        """Compares maps with the reference.

        Args:
            features: Of `typicality_features`, `[N, F]`; a map with one that is not finite gets the least p-value.
            theta: The posterior means at which they were evaluated, `[N, P]`.

        Returns:
            `Typicality`.

        Raises:
            InputError: If there is another number of features.
        """
        features = _checked(features, self.feature_names)
        degree = _degree(len(self.parameters), self.num_simulations)
        z = (features - _design(self.parameters.normalize(theta), degree) @ self.coefficients) / self.sd
        is_finite = np.isfinite(z).all(axis=1)
        distance = np.where(is_finite, _distance(np.where(is_finite[:, None], z, 0.0), self.covariance), np.inf)
        num_farther = len(self.distances) - np.searchsorted(self.distances, distance)
        offset = np.zeros(len(features))
        if self.log10_median is not None:
            offset = features[:, self.feature_names.index(MEDIAN)] - self.log10_median
        return Typicality((1 + num_farther) / (1 + len(self.distances)), z, self.feature_names, offset)

    def to_config(self):
        """The reference as JSON-compatible values."""
        arrays = {name: getattr(self, name).tolist() for name in ("coefficients", "sd", "covariance", "distances")}
        return {
            "parameters": self.parameters.to_config(),
            "feature_names": list(self.feature_names),
            "log10_median": self.log10_median,
            "num_simulations": self.num_simulations,
            **arrays,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `to_config`."""
        arrays = {name: np.array(config[name]) for name in ("coefficients", "sd", "covariance", "distances")}
        parameters = ParameterSpace.from_config(config["parameters"])
        return cls(**{**config, **arrays, "parameters": parameters, "feature_names": tuple(config["feature_names"])})


def _checked(features, names):
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not features.size or features.shape[1] != len(names):
        raise InputError(f"features: expected the shape [N, {len(names)}]. Received: {features.shape}.")
    return features


def _degree(num_parameters, num_simulations):
    """The largest degree up to 2 that leaves three simulations for each coefficient."""
    num_coefficients = {2: (num_parameters + 1) * (num_parameters + 2) // 2, 1: num_parameters + 1}
    return next((degree for degree, number in num_coefficients.items() if 3 * number <= num_simulations), 0)


def _design(normalized, degree):
    """Monomials of the normalised parameters up to `degree`: `[N, P]` -> `[N, K]`."""
    columns = [np.ones((len(normalized), 1))]
    if degree > 0:
        columns.append(normalized)
    if degree > 1:
        first, second = np.triu_indices(normalized.shape[1])
        columns.append(normalized[:, first] * normalized[:, second])
    return np.concatenate(columns, axis=1)


def _distance(z, covariance):
    return np.sqrt(np.einsum("nf,nf->n", z, np.linalg.solve(covariance, z.T).T))


def _fit(features, design, position):
    """Coefficients, standard deviations and shrunk covariance, in which every simulation weighs the same."""
    _, position, count = np.unique(position, return_inverse=True, return_counts=True)
    num_simulations = len(count)
    weight = 1.0 / (num_simulations * count[position])
    root = np.sqrt(weight)[:, None]
    coefficients = np.linalg.lstsq(root * design, root * features, rcond=None)[0]
    residual = features - design @ coefficients
    # A feature that does not vary says nothing; dividing by 1 leaves it at 0.
    sd = np.sqrt(weight @ residual**2)
    sd = np.where(sd > 0, sd, 1.0)
    z = residual / sd
    covariance = (weight[:, None] * z).T @ z
    # Ledoit and Wolf's estimate with the mean outer product of a simulation in the place of that of a row.
    spread = sum(
        np.sum((z[position == s].T @ z[position == s] / count[s] - covariance) ** 2) for s in range(num_simulations)
    )
    target = np.eye(len(sd)) * np.trace(covariance) / len(sd)
    shrinkage = min(1.0, spread / num_simulations**2 / max(np.sum((covariance - target) ** 2), 1e-12))
    return coefficients, sd, (1 - shrinkage) * covariance + shrinkage * target


def _deviation_text(name, z):
    kind, _, level = name.partition("_level_")
    text = f"{_WORDS[kind]} of level {level}" if level else f"its {name.rsplit('_', 1)[1]} % percentile"
    if not np.isfinite(z):
        return f"{text} is not finite"
    return f"{text} is {abs(z):.1f} sd {'above' if z > 0 else 'below'} what is usual at its parameters"
