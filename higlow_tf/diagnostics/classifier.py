"""A classifier that is asked to tell generated maps from real ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor, sums_by_simulation
from higlow_tf.diagnostics.fields import MAP_FIELDS
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.errors import InputError

__all__ = ["ClassifierTest", "classifier_test", "map_features"]

_PERCENTILES = (0, 0.1, 1, 5, 16, 50, 84, 95, 99, 99.9, 100)
_PATCH_SIZES = (2, 4, 8)
_TINY = 1e-12

_NUM_FOLDS = 5
_NUM_FLOOR_TESTS = 20
_INVERSE_PENALTY, _MAX_ITERATIONS = 0.1, 1000
_FOLD_STREAM = 0x666F6C64


@dataclass(frozen=True)
class ClassifierTest:
    """How well a classifier tells generated from real maps that it was not trained on.

    Attributes:
        auc: Chance that a generated map looks more generated than a real one; 0.5 for a perfect generator, 1 at worst.
        error: Bootstrap error of the AUC over simulations; None with too few simulations.
        floor: What abs(auc - 0.5) is on average for real against real; None with too few simulations.
        accuracy: Share of right answers, the mean of both sides.
        num_features: Numbers by which a map is judged.
        num_real_simulations, num_generated_simulations: How many simulations stand behind it.
    """

    auc: float
    error: float | None
    floor: float | None
    accuracy: float
    num_features: int
    num_real_simulations: int
    num_generated_simulations: int


def classifier_test(
    samples: MapSamples,
    *,
    seed: int = 0,
) -> ClassifierTest:
    """Two-sample test by classifier (C2ST): trains one to tell generated from real maps, and tests it on others.

    Definition:
        auc = mean over generated maps g of the share of real maps r of the same fold with score(g) > score(r), ties half
        score: log-odds of a logistic regression on the standardised `map_features`

    Convention: cross-validated in 5 folds of simulations: all maps of a simulation index, real and generated, are in
        one fold. No score comes from a classifier that saw the same parameters. The classifier is linear: with
        hundreds of maps it finds small shifts of the features, as of the power, that boosted trees miss.
        The error is that of the AUC linearised in the shares [2]. Simulations are resampled, on both sides together where
        they are the same. The classifier is not trained again. The floor is `halving_floor` of auc - 0.5 with 20
        halvings of the real simulations. It is generous, because the halves differ in parameters.

    Units: maps in physical units; an AUC has none.

    What it can and cannot show: differences that no single statistic was chosen for. An AUC of 0.5 says that this
        classifier with these features and this many maps sees none. It hardly sees a feature with the right mean whose
        spread is too wide or too narrow: see the sd ratios of `compare_power`.

    Checked against: equal and shifted distributions whose AUC is known.

    Args:
        samples: Real maps, and maps generated at their parameters: at others, the classifier finds the parameters.
        seed: Seed of folds, halvings and resamples.

    Returns:
        A `ClassifierTest`. Error and floor are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If a side has fewer than two simulations.

    References:
        [1] Lopez-Paz & Oquab. Revisiting Classifier Two-Sample Tests. ICLR 2017. https://arxiv.org/abs/1610.06545
        [2] DeLong et al. Comparing the areas under correlated ROC curves. Biometrics 44, 837 (1988).
    """
    real, real_simulation = map_features(samples.real), samples.real.simulation
    generated, simulation = map_features(samples.generated), samples.generated.simulation
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_FOLD_STREAM,)))
    real_share, share, accuracy = _shares(real, real_simulation, generated, simulation, rng)
    real_indices, real_sums = sums_by_simulation(real_share[:, None], real_simulation)
    indices, sums = sums_by_simulation(share[:, None], simulation)
    error = bootstrap_error(
        lambda real_totals, totals: real_totals[:, 1] / real_totals[:, 0] + totals[:, 1] / totals[:, 0],
        real_sums,
        sums,
        is_paired=samples.is_paired,
        num_bootstrap=NUM_BOOTSTRAP,
        seed=seed,
        name="classifier_test",
    )

    def real_against_real(half: np.ndarray, _: np.ndarray) -> np.ndarray:
        """Deviations of the first few halvings; row i of `half` marks the simulations of the first half."""
        deviations = []
        for in_half in half[:_NUM_FLOOR_TESTS] > 0:
            is_first = np.isin(real_simulation, real_indices[in_half])
            sides = real[~is_first], real_simulation[~is_first], real[is_first], real_simulation[is_first]
            deviations.append(_shares(*sides, rng)[1].mean() - 0.5)
        return np.array(deviations)

    floor = halving_floor(real_against_real, np.eye(len(real_indices)), len(indices), seed)
    return ClassifierTest(
        auc=float(share.mean()),
        error=None if error is None else float(error),
        floor=None if floor is None else float(floor),
        accuracy=accuracy,
        num_features=real.shape[1],
        num_real_simulations=len(real_indices),
        num_generated_simulations=len(indices),
    )


def map_features(map_set: MapSet) -> Float[np.ndarray, "N F"]:
    """Numbers of each map that do not change under shifts, rotations and reflections.

    Returns:
        `[N, F]`: ln P(k) of the log10 map and of the overdensity; percentiles, mean, standard deviation, skewness and
        kurtosis of log10; standard deviation and skewness of its means over all patches of 2, 4 and 8 pixels, and mean
        and standard deviation of its standard deviation within them.
    """
    log10_maps = map_set.field("log10")
    features = [np.log(np.maximum(map_set.power(name).power_mpc2_h2, _TINY)) for name in MAP_FIELDS]
    features.append(np.percentile(log10_maps, _PERCENTILES, axis=(1, 2)).T)
    features.append(np.stack([log10_maps.mean(axis=(1, 2)), *_shape(log10_maps)], axis=1))
    centred = log10_maps - log10_maps.mean(axis=(1, 2), keepdims=True)
    for size in _PATCH_SIZES:
        window = (1, size, size)
        mean = uniform_filter(centred, window, mode="wrap")
        sd = np.sqrt(np.maximum(uniform_filter(centred**2, window, mode="wrap") - mean**2, 0.0))
        sd_of_mean, skewness, _ = _shape(mean)
        features.append(np.stack([sd_of_mean, skewness, sd.mean(axis=(1, 2)), sd.std(axis=(1, 2))], axis=1))
    return np.hstack(features)


def _shape(fields: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard deviation, skewness and kurtosis of the pixels of each field; 0 for a constant one."""
    centred = fields - fields.mean(axis=(1, 2), keepdims=True)
    sd = centred.std(axis=(1, 2))
    unit = centred / np.maximum(sd, _TINY)[:, None, None]
    return sd, np.mean(unit**3, axis=(1, 2)), np.mean(unit**4, axis=(1, 2))


def _shares(
    real: np.ndarray,
    real_simulation: np.ndarray,
    generated: np.ndarray,
    generated_simulation: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Compares scores within each fold, in which they come from one classifier.

    Returns:
        For each real map, the share of generated maps with a higher score; for each generated map, the share of real maps
        with a lower score; and the accuracy.
    """
    real_fold, fold = _folds(real_simulation, generated_simulation, rng)
    real_share, share = np.empty(len(real)), np.empty(len(generated))
    is_right = np.empty(len(real)), np.empty(len(generated))
    for index in np.unique(fold):
        in_real, in_generated = real_fold == index, fold == index
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", max_iter=_MAX_ITERATIONS)
        )
        classifier.fit(
            np.concatenate([real[~in_real], generated[~in_generated]]),
            np.repeat([0, 1], [np.count_nonzero(~in_real), np.count_nonzero(~in_generated)]),
        )
        real_score, score = (classifier.decision_function(x) for x in (real[in_real], generated[in_generated]))
        ranks = rankdata(np.concatenate([real_score, score]))
        real_share[in_real] = 1 - (ranks[: len(real_score)] - rankdata(real_score)) / len(score)
        share[in_generated] = (ranks[len(real_score) :] - rankdata(score)) / len(real_score)
        is_right[0][in_real], is_right[1][in_generated] = real_score < 0, score >= 0
    return real_share, share, float(0.5 * (is_right[0].mean() + is_right[1].mean()))


def _folds(
    real_simulation: np.ndarray, generated_simulation: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fold of each map of both sides: a simulation is in one fold, and every fold has simulations of both sides.

    (scikit-learn's StratifiedGroupKFold promises only the first.)
    """
    both = np.unique(real_simulation), np.unique(generated_simulation)
    smallest = min(len(indices) for indices in both)
    if smallest < 2:
        raise InputError(
            f"real_simulation, generated_simulation: expected at least 2 simulations a side. Received: {smallest}."
        )
    common = rng.permutation(np.intersect1d(*both))
    folds = []
    for indices, simulation in zip(both, (real_simulation, generated_simulation), strict=True):
        dealt = np.concatenate([common, rng.permutation(np.setdiff1d(indices, common))])
        fold_of = np.empty(len(dealt), np.int64)
        fold_of[np.argsort(dealt)] = np.arange(len(dealt)) % min(_NUM_FOLDS, smallest)
        folds.append(fold_of[np.searchsorted(indices, simulation)])
    return folds[0], folds[1]
