"""Classifiers on features of maps that are asked to tell generated maps from real ones."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from higlow_tf.diagnostics.map_features import map_features
from higlow_tf.diagnostics.map_samples import MapSamples
from higlow_tf.diagnostics.two_sample_test import ClassifierTest, Side, two_sample_test
from higlow_tf.errors import InputError

__all__ = ["classifier_test"]

_NUM_FOLDS = 5
_INVERSE_PENALTY, _MAX_ITERATIONS = 0.1, 1000
# Small trees, few of them, on coarse histograms: what hundreds of maps can feed, in a few seconds.
_NUM_TREES, _LEARNING_RATE, _MAX_LEAVES, _MIN_MAPS_IN_LEAF, _MAX_BINS = 50, 0.2, 6, 5, 32


def classifier_test(samples: MapSamples, *, kind: str = "logistic", seed: int = 0) -> ClassifierTest:
    """Two-sample test by classifier (C2ST) [1] on the numbers of `map_features`.

    Definition: as `two_sample_test`, cross-validated in 5 folds of simulations, with
        "logistic": score = log-odds of a logistic regression on the standardised features
        "trees":    score = log-odds of gradient-boosted trees on the features

    Convention: as `two_sample_test`; the floor is of 20 halvings for "logistic", and of 4 for "trees", which take longer.
        Neither has anything random beside the folds.

    Units: maps in physical units; an AUC has none.

    What it can and cannot show: differences that no single statistic was chosen for. An AUC of 0.5 says that this
        classifier with these features and this many maps sees none. The logistic regression is linear: with hundreds of
        maps it finds small shifts of the features, as of the power, that boosted trees miss. It hardly sees a feature with
        the right mean whose spread is too wide or too narrow, or two features that do not go together as they should.
        Boosted trees see these.

    Checked against: equal and shifted distributions whose AUC is known; a spread that only trees see.

    Args:
        samples: Real maps, and maps generated at their parameters: at others, the classifier finds the parameters.
        kind: "logistic" or "trees".
        seed: Seed of folds, halvings and resamples.

    Returns:
        A `ClassifierTest`. Error and floor are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If the kind is unknown, or a side has fewer than two simulations.

    References:
        [1] Lopez-Paz & Oquab. Revisiting Classifier Two-Sample Tests. ICLR 2017. https://arxiv.org/abs/1610.06545
    """
    if kind not in _KINDS:
        raise InputError(f'kind: expected "logistic" or "trees". Received: {kind!r}.')
    make_classifier, num_floor_tests = _KINDS[kind]

    def classifier(inputs: np.ndarray, is_generated: np.ndarray, others: np.ndarray) -> np.ndarray:
        return make_classifier().fit(inputs, is_generated).decision_function(others)

    return two_sample_test(
        classifier,
        *[Side(map_features(map_set), map_set.simulation) for map_set in (samples.real, samples.generated)],
        num_folds=_NUM_FOLDS,
        num_floor_tests=num_floor_tests,
        seed=seed,
        name="classifier_test",
    )


def _logistic():
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", max_iter=_MAX_ITERATIONS)
    )


def _trees():
    return HistGradientBoostingClassifier(
        learning_rate=_LEARNING_RATE,
        max_iter=_NUM_TREES,
        max_leaf_nodes=_MAX_LEAVES,
        min_samples_leaf=_MIN_MAPS_IN_LEAF,
        max_bins=_MAX_BINS,
        early_stopping=False,  # it would hold maps back at random, of simulations that others learn from
        class_weight="balanced",
        random_state=0,
    )


_KINDS = {"logistic": (_logistic, 20), "trees": (_trees, 4)}
"""What makes each classifier, and how many halvings its floor takes."""
