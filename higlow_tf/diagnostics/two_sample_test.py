"""The two-sample test by classifier: folds by simulation, the area under the curve, its error and its floor."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor, sums_by_simulation
from higlow_tf.errors import InputError

__all__ = ["ClassifierTest", "Side", "folds_by_simulation", "two_sample_test"]

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


@dataclass(frozen=True, eq=False)
class Side:
    """What a classifier is given of the real or of the generated maps.

    Attributes:
        inputs: One row a map, `[N, ...]`.
        simulation: Simulation of each map, `[N]`.
    """

    inputs: np.ndarray
    simulation: np.ndarray

    def __len__(self):
        return len(self.inputs)

    def select(self, rows: np.ndarray) -> "Side":
        """Some of the maps, by mask or index."""
        return Side(self.inputs[rows], self.simulation[rows])


Classifier = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Trains on inputs `[N, ...]` and whether each is generated `[N]`, and returns the log-odds that others `[M, ...]` are: `[M]`."""


def two_sample_test(
    classifier: Classifier,
    real: Side,
    generated: Side,
    *,
    num_folds: int,
    num_floor_tests: int,
    seed: int,
    name: str,
) -> ClassifierTest:
    """Trains a classifier to tell generated from real maps, and tests it on maps of other simulations.

    Definition:
        auc = mean over generated maps g of the share of real maps r of the same fold with score(g) > score(r), ties half

    Convention: all maps of a simulation index, real and generated, are in one fold. No score comes from a classifier that
        saw the same parameters. The error is that of the AUC linearised in the shares [1]. Simulations are resampled, on
        both sides together where they are the same. The classifier is not trained again. The floor is `halving_floor` of
        auc - 0.5: the classifier is trained to tell halves of the real simulations from each other, in folds of
        simulations too. It is generous, because the halves differ in parameters. Labels that are exchanged at random
        within simulations would not: but where the generator is wrong, what a classifier learns from an uneven exchange
        is turned round in the other fold, and the scatter is no longer that of a perfect generator.

    Args:
        classifier: See `Classifier`. It must be deterministic.
        real, generated: Both sides.
        num_folds: Folds; fewer if a side has fewer simulations.
        num_floor_tests: Halvings of the real simulations, each with as many trainings as there are folds.
        seed: Seed of folds, halvings and resamples.
        name: Whose test it is, for the warning.

    Returns:
        A `ClassifierTest`. Error and floor are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If a side has fewer than two simulations.

    References:
        [1] DeLong et al. Comparing the areas under correlated ROC curves. Biometrics 44, 837 (1988).
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_FOLD_STREAM,)))
    real_share, share, accuracy = _shares(classifier, real, generated, num_folds, rng)
    real_indices, real_sums = sums_by_simulation(real_share[:, None], real.simulation)
    indices, sums = sums_by_simulation(share[:, None], generated.simulation)
    error = bootstrap_error(
        lambda real_totals, totals: real_totals[:, 1] / real_totals[:, 0] + totals[:, 1] / totals[:, 0],
        real_sums,
        sums,
        is_paired=np.array_equal(real_indices, indices),
        num_bootstrap=NUM_BOOTSTRAP,
        seed=seed,
        name=name,
    )

    def real_against_real(half: np.ndarray, _: np.ndarray) -> np.ndarray:
        """Deviations of the first few halvings; row i of `half` marks the simulations of the first half."""
        deviations = []
        for in_half in half[:num_floor_tests] > 0:
            is_first = np.isin(real.simulation, real_indices[in_half])
            sides = real.select(~is_first), real.select(is_first)
            deviations.append(_shares(classifier, *sides, num_folds, rng)[1].mean() - 0.5)
        return np.array(deviations)

    floor = halving_floor(real_against_real, np.eye(len(real_indices)), len(indices), seed)
    return ClassifierTest(
        auc=float(share.mean()),
        error=None if error is None else float(error),
        floor=None if floor is None else float(floor),
        accuracy=accuracy,
        num_features=int(np.prod(real.inputs.shape[1:])),
        num_real_simulations=len(real_indices),
        num_generated_simulations=len(indices),
    )


def folds_by_simulation(
    real_simulation: np.ndarray, generated_simulation: np.ndarray, num_folds: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fold of each map of both sides: a simulation is in one fold, and every fold has simulations of both sides.

    (scikit-learn's StratifiedGroupKFold promises only the first.)

    Raises:
        InputError: If a side has fewer than two simulations.
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
        place_of = np.argsort(dealt)  # of each of the sorted indices among those that are dealt
        fold_of = place_of % min(num_folds, smallest)
        folds.append(fold_of[np.searchsorted(indices, simulation)])
    return folds[0], folds[1]


def _shares(
    classifier: Classifier, real: Side, generated: Side, num_folds: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " M"], float]:
    """Compares scores within each fold, in which they come from one classifier.

    Returns:
        For each real map, the share of generated maps with a higher score; for each generated map, the share of real maps
        with a lower score; and the accuracy.
    """
    real_fold, fold = folds_by_simulation(real.simulation, generated.simulation, num_folds, rng)
    real_share, share = np.empty(len(real)), np.empty(len(generated))
    is_right = np.empty(len(real)), np.empty(len(generated))
    for index in np.unique(fold):
        in_real, in_generated = real_fold == index, fold == index
        score = classifier(
            np.concatenate([real.inputs[~in_real], generated.inputs[~in_generated]]),
            np.repeat([False, True], [np.count_nonzero(~in_real), np.count_nonzero(~in_generated)]),
            np.concatenate([real.inputs[in_real], generated.inputs[in_generated]]),
        )
        real_score, score = np.split(score, [np.count_nonzero(in_real)])
        ranks = rankdata(np.concatenate([real_score, score]))
        real_share[in_real] = 1 - (ranks[: len(real_score)] - rankdata(real_score)) / len(score)
        share[in_generated] = (ranks[len(real_score) :] - rankdata(score)) / len(real_score)
        is_right[0][in_real], is_right[1][in_generated] = real_score < 0, score >= 0
    return real_share, share, float(0.5 * (is_right[0].mean() + is_right[1].mean()))
