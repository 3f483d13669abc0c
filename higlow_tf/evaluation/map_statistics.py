"""All statistics of generated maps against test maps; a model is not asked any more."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from higlow_tf.diagnostics import PixelPDF, PowerComparison, compare_power, pixel_pdf
from higlow_tf.diagnostics.bootstrap import MIN_SIMULATIONS
from higlow_tf.diagnostics.classifier import ClassifierTest, classifier_test
from higlow_tf.diagnostics.nearest import NearestTraining, nearest_training_map
from higlow_tf.diagnostics.power_by_cosmology import PowerR2, power_r2_by_cosmology
from higlow_tf.diagnostics.power_correlation import CorrelationComparison, compare_power_correlation
from higlow_tf.diagnostics.response import ResponseComparison, power_response
from higlow_tf.diagnostics.statistics import compare_statistics
from higlow_tf.diagnostics.summaries import SummaryComparison
from higlow_tf.errors import InputError, InputWarning

__all__ = ["FIELDS", "FIELD_NAMES", "MapStatistics", "measure_maps"]

FIELDS = ("log10", "overdensity")
FIELD_NAMES = {"log10": "log10 maps", "overdensity": "overdensity"}
_NUM_THREADS = 2


@dataclass(frozen=True)
class MapStatistics:
    """Generated maps against test maps; what could not be measured is None or empty, with the reason.

    Attributes:
        powers: P(k) of each of `FIELDS`.
        pdf: Pixels.
        correlation: Correlation of P(k) between bins.
        summaries: Other statistics, by the names of `compare_statistics`.
        response: Derivatives of ln P(k) by the parameters.
        power_r2: R2 of the mean power at single cosmologies.
        classifier: Whether a classifier tells the two sides apart.
        nearest: Distances to the training maps.
        not_measured: Reasons, by the name of the statistic.
    """

    powers: dict[str, PowerComparison] = field(default_factory=dict)
    pdf: PixelPDF | None = None
    correlation: CorrelationComparison | None = None
    summaries: dict[str, SummaryComparison] = field(default_factory=dict)
    response: ResponseComparison | None = None
    power_r2: PowerR2 | None = None
    classifier: ClassifierTest | None = None
    nearest: NearestTraining | None = None
    not_measured: dict[str, str] = field(default_factory=dict)


def measure_maps(compared, generated, is_usable, training, *, seed, progress):
    """Measures all statistics, those that take long beside each other.

    Args:
        compared: `HIMapDataset` of the test maps, `M` of them, of one channel.
        generated: One map at the parameters of each, `[M, H, W]`.
        is_usable: Which generated maps are finite and positive, `[M]`; the others are left out.
        training: Maps that the model learned from, `[T, H, W]`, or in words why they are not at hand.
        seed: Seed of resamples.
        progress: Called as `progress(done, total)`.

    Returns:
        `MapStatistics`. A statistic that these maps are too few for is not measured.
    """
    if not is_usable.any():
        return MapStatistics(not_measured={"all statistics": "no generated map is finite and positive"})
    samples, tasks, reasons, results = generated[is_usable], {}, {}, {}
    if isinstance(training, str):
        reasons["nearest"] = training
    else:
        tasks["nearest"] = lambda: nearest_training_map(samples, training, compared.maps, seed=seed)
    tasks |= _tasks(compared, samples, is_usable, seed)
    with warnings.catch_warnings(), ThreadPoolExecutor(_NUM_THREADS) as pool:
        if compared.num_simulations < MIN_SIMULATIONS:
            # Each statistic would say it once more.
            warnings.simplefilter("ignore", InputWarning)
        futures = {name: pool.submit(task) for name, task in tasks.items()}
        for done, (name, future) in enumerate(futures.items()):
            progress(done, len(futures))
            try:
                results[name] = future.result()
            except InputError as error:
                reasons[name] = str(error)
        progress(len(futures), len(futures))
    return MapStatistics(**results, not_measured=reasons)


def _tasks(compared, generated, is_usable, seed):
    """A function without arguments for each statistic; first those that take longest."""
    real, simulation, theta = (np.asarray(getattr(compared, name)) for name in ("maps", "simulation", "theta"))
    sides = (real, simulation, generated, simulation[is_usable])
    box = compared.box_size_mpc_h
    return {
        "summaries": lambda: compare_statistics(*sides, box, seed=seed),
        "classifier": lambda: classifier_test(*sides, box, seed=seed),
        "powers": lambda: {name: compare_power(*sides, box, field=name, seed=seed) for name in FIELDS},
        "pdf": lambda: pixel_pdf(*sides, seed=seed),
        "correlation": lambda: compare_power_correlation(*sides, box, seed=seed),
        "power_r2": lambda: power_r2_by_cosmology(*sides, box, seed=seed),
        "response": lambda: power_response(
            real,
            theta,
            simulation,
            generated,
            theta[is_usable],
            simulation[is_usable],
            box,
            parameter_names=compared.parameters.names,
            seed=seed,
        ),
    }
