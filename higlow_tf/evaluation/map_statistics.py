"""All statistics of generated maps against test maps. No model is needed here."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from higlow_tf.diagnostics import MAP_FIELDS, ClassifierTest, PixelPDF, PowerComparison, compare_power, pixel_pdf
from higlow_tf.diagnostics.bootstrap import MIN_SIMULATIONS
from higlow_tf.diagnostics.classifier import classifier_test
from higlow_tf.diagnostics.nearest import NearestTraining, nearest_training_map
from higlow_tf.diagnostics.power_by_cosmology import PowerR2, power_r2_by_cosmology
from higlow_tf.diagnostics.power_correlation import CorrelationComparison, compare_power_correlation
from higlow_tf.diagnostics.response import ResponseComparison, power_response
from higlow_tf.diagnostics.spread import SpreadComparison, compare_spread
from higlow_tf.diagnostics.statistics import compare_statistics
from higlow_tf.diagnostics.summaries import SummaryComparison
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.evaluation.map_classifier import map_classifier_test

__all__ = ["MapStatistics", "measure_maps"]

_NUM_THREADS = 2


@dataclass(frozen=True)
class MapStatistics:
    """Generated maps against test maps. What could not be measured is None or empty, and the reason is given.

    Attributes:
        powers: P(k) of each of `MAP_FIELDS`.
        pdf: Pixels.
        correlation: Correlation of P(k) between bins.
        summaries: Other statistics, by the names of `compare_statistics`.
        spread: Scatter of whole maps at fixed parameters.
        response: Derivatives of ln P(k) by the parameters.
        power_r2: R2 of the mean power at single cosmologies.
        classifier: Whether a linear classifier of features can tell generated from test maps.
        trees: The same of boosted trees.
        map_classifier: The same of a convolutional network that looks at the maps themselves.
        nearest: Distances to the training maps.
        not_measured: Reasons, by the name of the statistic.
    """

    powers: dict[str, PowerComparison] = field(default_factory=dict)
    pdf: PixelPDF | None = None
    correlation: CorrelationComparison | None = None
    summaries: dict[str, SummaryComparison] = field(default_factory=dict)
    spread: SpreadComparison | None = None
    response: ResponseComparison | None = None
    power_r2: PowerR2 | None = None
    classifier: ClassifierTest | None = None
    trees: ClassifierTest | None = None
    map_classifier: ClassifierTest | None = None
    nearest: NearestTraining | None = None
    not_measured: dict[str, str] = field(default_factory=dict)


def measure_maps(samples, training, *, parameter_names, seed, with_map_classifier=False, progress=None):
    """Measures all statistics of two samples of maps. Those that take long run at the same time.

    The map classifier is trained after them: TensorFlow uses all cores by itself.

    Args:
        samples: `MapSamples` of the test maps and of maps generated at their parameters, both with theta.
        training: Maps that the model learned from, `[T, H, W]`; or, in words, why they are missing.
        parameter_names: Names of the parameters in theta.
        seed: Seed of everything random.
        with_map_classifier: Whether to train the convolutional classifier, which takes longer than all others.
        progress: Called as `progress("statistics", done, total)`, and as `map_classifier_test` does.

    Returns:
        `MapStatistics`. If there are too few maps for a statistic, it is not measured.
    """
    tasks, reasons, results = {}, {}, {}
    if isinstance(training, str):
        reasons["nearest"] = training
    else:
        tasks["nearest"] = lambda: nearest_training_map(samples, training, seed=seed)
    tasks |= _tasks(samples, parameter_names, seed)
    with warnings.catch_warnings(), ThreadPoolExecutor(_NUM_THREADS) as pool:
        if len(samples.real.simulation_indices) < MIN_SIMULATIONS:
            # Each statistic would say it once more.
            warnings.simplefilter("ignore", InputWarning)
        futures = {name: pool.submit(task) for name, task in tasks.items()}
        for done, (name, future) in enumerate(futures.items()):
            if progress is not None:
                progress("statistics", done, len(futures))
            _measure_into(results, reasons, name, future.result)
        if progress is not None:
            progress("statistics", len(futures), len(futures))
        if with_map_classifier:
            _measure_into(
                results, reasons, "map_classifier", lambda: map_classifier_test(samples, progress=progress, seed=seed)
            )
    return MapStatistics(**results, not_measured=reasons)


def _measure_into(results, reasons, name, measure):
    """Keeps what `measure()` gives, or why it could not be measured."""
    try:
        results[name] = measure()
    except InputError as error:
        reasons[name] = str(error)


def _tasks(samples, parameter_names, seed):
    """A function without arguments for each statistic. Those that take longest come first."""
    return {
        "summaries": lambda: compare_statistics(samples, seed=seed),
        "trees": lambda: classifier_test(samples, kind="trees", seed=seed),
        "classifier": lambda: classifier_test(samples, seed=seed),
        "spread": lambda: compare_spread(samples, seed=seed),
        "powers": lambda: {name: compare_power(samples, field=name, seed=seed) for name in MAP_FIELDS},
        "pdf": lambda: pixel_pdf(samples, seed=seed),
        "correlation": lambda: compare_power_correlation(samples, seed=seed),
        "power_r2": lambda: power_r2_by_cosmology(samples, seed=seed),
        "response": lambda: power_response(samples, parameter_names=parameter_names, seed=seed),
    }
