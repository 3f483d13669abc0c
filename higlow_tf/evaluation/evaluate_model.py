"""What `evaluate` and `demo` measure of a model on test maps: what it is asked, and what follows from its answers."""

from dataclasses import dataclass, field

import numpy as np

from higlow_tf.cli.console import progress_bar
from higlow_tf.data import HIMapDataset
from higlow_tf.diagnostics import MapSamples, PowerComparison, compare_power
from higlow_tf.diagnostics.sample_checks import SampleChecks, check_samples
from higlow_tf.diagnostics.symmetry_defect import SymmetryDefect, symmetry_defect
from higlow_tf.errors import InputError
from higlow_tf.evaluation.answer_cache import EvaluationCache
from higlow_tf.evaluation.chunks import generate_in_chunks, log_prob_in_chunks, spread_rows
from higlow_tf.evaluation.map_statistics import MapStatistics, measure_maps
from higlow_tf.evaluation.posterior_scores import PosteriorScores, score_posteriors, spread_over_simulations

__all__ = ["AtOneCosmology", "Evaluation", "EvaluationOptions", "evaluate_model"]

_SYMMETRY_MAPS = 32


@dataclass(frozen=True)
class EvaluationOptions:
    """How much is measured.

    Attributes:
        num_samples: Most maps to generate at the parameters of evenly spread test maps; None for one a test map.
        num_cosmologies: Test simulations at whose parameters many maps are generated.
        maps_per_cosmology: How many.
        num_posteriors: Most test maps whose posteriors are computed; 0 for none.
        seed: Seed of everything random.
    """

    num_samples: int | None = None
    num_cosmologies: int = 4
    maps_per_cosmology: int = 15
    num_posteriors: int = 60
    seed: int = 0


@dataclass(frozen=True)
class AtOneCosmology:
    """Many generated maps at the parameters of one test simulation, against its maps.

    Attributes:
        simulation: Its index.
        theta: Its parameters, `[P]`.
        power: P(k) of log10 maps; errors and floor over single maps.
        num_real_maps, num_generated_maps: How many maps there are of each; those that are not finite and positive do
            not count.
    """

    simulation: int
    theta: np.ndarray
    power: PowerComparison
    num_real_maps: int
    num_generated_maps: int


@dataclass(frozen=True)
class Evaluation:
    """Measurements of one model on test maps.

    Attributes:
        test: The test maps.
        label: Which maps these are, in words.
        log_prob: Total nats of each log10 map, `[N]`.
        rows: Which test maps the generated ones are compared with, `[M]`.
        generated: One map at the parameters of each of them, `[M, H, W]`.
        is_usable: Which generated maps are finite and positive everywhere, `[M]`.
        checks: Counts of bad pixels of all generated maps.
        checked_against: Whose extremes the pixels were checked against: "training" or "test" maps.
        statistics: Generated against test maps; empty for several channels.
        at_cosmologies: The same at single test simulations.
        num_bad_at_cosmologies: Maps generated for these that are not finite and positive everywhere.
        symmetry: How far the density changes under shifts and reflections; None if a density is not finite.
        posteriors: Posteriors of some test maps; None if there are none.
        not_measured: Reasons, by the name of what was not measured.
        options: How much was measured.
    """

    test: HIMapDataset
    label: str
    log_prob: np.ndarray
    rows: np.ndarray
    generated: np.ndarray
    is_usable: np.ndarray
    checks: SampleChecks
    checked_against: str
    statistics: MapStatistics
    at_cosmologies: tuple[AtOneCosmology, ...]
    num_bad_at_cosmologies: int
    symmetry: SymmetryDefect | None
    posteriors: PosteriorScores | None
    not_measured: dict[str, str] = field(default_factory=dict)
    options: EvaluationOptions = EvaluationOptions()


def evaluate_model(model, test, label, options=None, *, training="the training maps are not at hand", cache_dir=None):
    """Measures a model on test maps: density, generated maps, posteriors.

    Args:
        model: A model with the verbs of `ConditionalGlow`.
        test: `HIMapDataset` that the model was not trained on.
        label: Which maps these are, in words.
        options: `EvaluationOptions`; None for the defaults.
        training: Maps that the model learned from, `[T, H, W]`, or in words why they are not at hand.
        cache_dir: Folder that keeps all that the model computes; None to keep nothing.

    Returns:
        `Evaluation`.
    """
    options = options or EvaluationOptions()
    cache = EvaluationCache(model, cache_dir)
    log_prob = _log_prob(model, cache, test.maps, test.theta, "density of test maps")
    rows = spread_rows(test.num_maps, options.num_samples or test.num_maps)
    compared = test.select(rows)
    generated = _generated(model, cache, compared.theta, options.seed, "generated maps")
    is_usable = _is_usable(generated)
    checked_against = "test" if isinstance(training, str) else "training"
    extremes = _extremes_log10(test.maps if isinstance(training, str) else training)
    not_measured, statistics, at_cosmologies, num_bad = {}, MapStatistics(), (), 0
    if test.num_channels == 1:
        statistics = _statistics(compared, generated, is_usable, training, options)
        at_cosmologies, num_bad = _at_cosmologies(model, cache, test, options, not_measured)
    else:
        not_measured["statistics"] = "maps are compared for one field only"
    symmetry = None
    if np.isfinite(log_prob).all():
        symmetry = _symmetry(
            model, cache, test.select(spread_over_simulations(test.simulation, _SYMMETRY_MAPS)), options
        )
    else:
        not_measured["symmetry"] = "the density of a test map is not finite"
    posteriors = None
    try:
        if options.num_posteriors:
            posteriors = score_posteriors(model, test, options.num_posteriors, cache, seed=options.seed)
    except InputError as error:
        not_measured["posteriors"] = str(error)
    return Evaluation(
        test=test,
        label=label,
        log_prob=log_prob,
        rows=rows,
        generated=generated,
        is_usable=is_usable,
        checks=check_samples(generated, *extremes),
        checked_against=checked_against,
        statistics=statistics,
        at_cosmologies=at_cosmologies,
        num_bad_at_cosmologies=num_bad,
        symmetry=symmetry,
        posteriors=posteriors,
        not_measured=not_measured | statistics.not_measured,
        options=options,
    )


def _log_prob(model, cache, maps, theta, description):
    def compute():
        with progress_bar(description) as report:
            return log_prob_in_chunks(model, maps, theta, report)

    return cache.array("log_prob", [np.asarray(maps), np.asarray(theta)], compute)


def _generated(model, cache, theta, seed, description):
    """One map for each row of theta, `[M, H, W]`."""

    def compute():
        with progress_bar(description) as report:
            return np.concatenate([maps for _, maps in generate_in_chunks(model, theta, seed=seed, progress=report)])

    return cache.array("samples", [np.asarray(theta), seed], compute)


def _statistics(compared, generated, is_usable, training, options):
    """`MapStatistics` of the usable generated maps against the test maps at whose parameters they were made."""
    if not is_usable.any():
        return MapStatistics(not_measured={"all statistics": "no generated map is finite and positive"})
    theta, simulation = np.asarray(compared.theta), np.asarray(compared.simulation)
    try:
        samples = MapSamples.from_arrays(
            compared.maps,
            simulation,
            generated[is_usable],
            simulation[is_usable],
            compared.box_size_mpc_h,
            real_theta=theta,
            generated_theta=theta[is_usable],
        )
    except InputError as error:
        return MapStatistics(not_measured={"all statistics": str(error)})
    with progress_bar("statistics") as bar:
        return measure_maps(
            samples,
            training,
            parameter_names=compared.parameters.names,
            seed=options.seed,
            progress=lambda stage, done, total: bar(done, total),
        )


def _at_cosmologies(model, cache, test, options, not_measured):
    """P(k) at a few test simulations, and the number of generated maps that cannot be used.

    A simulation with fewer than two usable maps on a side is left out, which `not_measured` is told.
    """
    if not options.num_cosmologies:
        return (), 0
    theta = test.theta_by_simulation
    chosen = _spread_points(model.parameters.normalize(theta), options.num_cosmologies)
    repeated = np.repeat(theta[chosen], options.maps_per_cosmology, axis=0)
    # The next seed: other noise than that of the maps at the parameters of each test map.
    generated = _generated(model, cache, repeated, options.seed + 1, "maps at single cosmologies")
    is_usable = _is_usable(generated)
    results = []
    by_simulation = zip(chosen, np.split(generated, len(chosen)), np.split(is_usable, len(chosen)), strict=True)
    for index, maps, usable in by_simulation:
        simulation = int(test.simulation_indices[index])
        real, maps = np.asarray(test.maps[test.simulation == simulation]), maps[usable]
        if min(len(real), len(maps)) < 2:
            not_measured[f"P(k) at simulation {simulation}"] = (
                f"it takes two maps a side that are finite and positive; there are {len(real)} simulated and {len(maps)} "
                "generated ones"
            )
            continue
        # Every map stands for itself here: indices of their own on the two sides, since the maps are no pairs.
        own, generated_own = np.split(np.arange(len(real) + len(maps)), [len(real)])
        samples = MapSamples.from_arrays(real, own, maps, generated_own, test.box_size_mpc_h)
        power = compare_power(samples, seed=options.seed)
        results.append(AtOneCosmology(simulation, theta[index], power, len(real), len(maps)))
    return tuple(results), int(np.sum(~is_usable))


def _spread_points(points, num_wanted):
    """Indices of points far from each other: first the most central one, then always the farthest from all chosen."""
    distance = np.linalg.norm(points, axis=1)
    chosen = [int(np.argmin(distance))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(num_wanted, len(points)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def _symmetry(model, cache, chosen, options):
    def log_prob(maps, theta):
        return _log_prob(model, cache, maps, theta, "density of shifted maps")

    return symmetry_defect(log_prob, np.asarray(chosen.maps), np.asarray(chosen.theta), seed=options.seed)


def _is_usable(maps):
    return np.all(np.isfinite(maps) & (maps > 0), axis=tuple(range(1, maps.ndim)))


def _extremes_log10(maps):
    """Smallest and largest log10 pixel, read in pieces."""
    pieces = [np.asarray(maps[start : start + 256]) for start in range(0, len(maps), 256)]
    return float(np.log10(min(p.min() for p in pieces))), float(np.log10(max(p.max() for p in pieces)))
