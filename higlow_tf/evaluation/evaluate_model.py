"""Measures a model on test maps: density, generated maps, posteriors."""

import numpy as np

from higlow_tf.diagnostics import MapSamples, check_samples, compare_power, symmetry_defect
from higlow_tf.errors import InputError
from higlow_tf.evaluation.answers import ModelAnswers
from higlow_tf.evaluation.evaluation import AtOneCosmology, Evaluation, EvaluationOptions
from higlow_tf.evaluation.judged_maps import theta_to_draw_at
from higlow_tf.evaluation.map_statistics import MapStatistics, measure_maps
from higlow_tf.evaluation.posterior_scores import score_posteriors
from higlow_tf.evaluation.provenance import provenance
from higlow_tf.evaluation.selection import select_maps
from higlow_tf.map_transforms import map_transform_of
from higlow_tf.runs import maps_for_testing

__all__ = ["check_evaluable", "evaluate_model"]


def evaluate_model(model, test, options=None, *, label=None, training=None, cache_dir=None, progress=None):
    """Measures a model on test maps: density, generated maps, posteriors.

    Args:
        model: A model with the verbs of `ConditionalGlow`.
        test: `HIMapDataset` that the model was not trained on.
        options: `EvaluationOptions`; None for the defaults.
        label: Which maps these are, in words; None to find out from the model's record of its training maps.
        training: Maps that the model learned from, `[T, H, W]`; or, in words, why they are missing; or None.
        cache_dir: Folder that keeps all that the model computes; None to keep nothing.
        progress: Called as `progress(stage, done, total)`, or None.

    Returns:
        `Evaluation`: everything measured as fields, `.metrics` and `.verdict()`.

    Raises:
        InputError: If the model is not one of log10 maps, or if `label` is None and it was trained on some of the maps.
    """
    check_evaluable(model)
    options = options or EvaluationOptions()
    if label is None:
        test, label = maps_for_testing(model.split, test)
    training = "the training maps are not at hand" if training is None else training
    answers, chosen = ModelAnswers(model, cache_dir, progress), select_maps(test, options)
    log_prob = answers.log_prob(test.maps, test.theta, "density of test maps")
    compared = test.select(chosen.compared)
    generated = answers.sample(theta_to_draw_at(model, compared.theta, options.seed), options.seed)
    is_usable = _is_usable(generated)
    not_measured, statistics, at_cosmologies, num_unusable = {}, MapStatistics(), (), 0
    if test.num_channels == 1:
        statistics = _statistics(model, compared, generated, is_usable, training, options, progress)
        at_cosmologies, num_unusable = _at_cosmologies(model, answers, test, chosen.cosmologies, options, not_measured)
    else:
        not_measured["statistics"] = "maps are compared for one field only"
    symmetry = None
    if np.isfinite(log_prob).all():
        symmetry = _symmetry(answers, test.select(chosen.symmetry), options)
    else:
        not_measured["symmetry"] = "the density of a test map is not finite"
    return Evaluation(
        test=test,
        label=label,
        log_prob=log_prob,
        rows=chosen.compared,
        generated=generated,
        is_usable=is_usable,
        checks=check_samples(generated, *_extremes_log10(test.maps if isinstance(training, str) else training)),
        checked_against="test" if isinstance(training, str) else "training",
        statistics=statistics,
        at_cosmologies=at_cosmologies,
        num_unusable_at_cosmologies=num_unusable,
        symmetry=symmetry,
        posteriors=_posteriors(answers, test, chosen.posteriors, options, not_measured),
        provenance=provenance(model, test),
        not_measured=not_measured | statistics.not_measured,
        options=options,
        nuisance=model.nuisance,
    )


def check_evaluable(model, name="model"):
    """Refuses a model whose maps have no log10, and says what is possible instead; `name` stands in the error."""
    if map_transform_of(model) != "log10":
        raise InputError(
            f"{name}: expected a model of log10 maps, since the report card compares log10 maps and overdensities (for other "
            "maps model.evaluate gives the density, higlow calibrate judges posteriors, hg.diagnostics.power_spectrum measures "
            f"maps). Received: map_transform={model.map_transform!r}."
        )


def _statistics(model, compared, generated, is_usable, training, options, progress):
    """The generated maps that can be used, against the test maps. All were drawn where test maps are."""
    if not is_usable.any():
        return MapStatistics(not_measured={"all statistics": "no generated map is finite and positive"})
    names = model.parameters_of_interest.names
    theta = compared.parameters.columns(compared.theta, names)
    try:
        samples = MapSamples.from_arrays(
            compared.maps,
            compared.simulation,
            generated[is_usable],
            compared.simulation[is_usable],
            compared.box_size_mpc_h,
            real_theta=theta,
            generated_theta=theta[is_usable],
        )
    except InputError as error:
        return MapStatistics(not_measured={"all statistics": str(error)})
    return measure_maps(
        samples,
        training,
        parameter_names=names,
        seed=options.seed,
        with_map_classifier=options.map_classifier,
        progress=progress,
    )


def _at_cosmologies(model, answers, test, chosen, options, not_measured):
    """P(k) at a few test simulations, and the number of generated maps that cannot be used.

    A simulation with fewer than two usable maps on a side is left out, and the reason goes to `not_measured`.
    """
    if not len(chosen):
        return (), 0
    theta = test.theta_by_simulation
    repeated = np.repeat(theta[chosen], options.maps_per_cosmology, axis=0)
    # The next seed: other noise than that of the maps at the parameters of each test map.
    seed = options.seed + 1
    generated = answers.sample(theta_to_draw_at(model, repeated, seed), seed, "maps at single cosmologies")
    is_usable = _is_usable(generated)
    results, asked = [], test.parameters.columns(theta, model.parameters_of_interest.names)
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
        # Every map stands for itself here. The two sides have different indices, because the maps are no pairs.
        of_real, of_generated = np.split(np.arange(len(real) + len(maps)), [len(real)])
        samples = MapSamples.from_arrays(real, of_real, maps, of_generated, test.box_size_mpc_h)
        power = compare_power(samples, seed=options.seed)
        results.append(AtOneCosmology(simulation, asked[index], power, len(real), len(maps)))
    return tuple(results), int(np.sum(~is_usable))


def _symmetry(answers, chosen, options):
    def log_prob(maps, theta):
        return answers.log_prob(maps, theta, "density of shifted maps")

    return symmetry_defect(log_prob, np.asarray(chosen.maps), np.asarray(chosen.theta), seed=options.seed)


def _posteriors(answers, test, rows, options, not_measured):
    if not len(rows):
        return None
    try:
        return score_posteriors(answers, test.select(rows), seed=options.seed)
    except InputError as error:
        not_measured["posteriors"] = str(error)
    return None


def _is_usable(maps):
    return np.all(np.isfinite(maps) & (maps > 0), axis=tuple(range(1, maps.ndim)))


def _extremes_log10(maps):
    """Smallest and largest log10 pixel, read in pieces."""
    pieces = [np.asarray(maps[start : start + 256]) for start in range(0, len(maps), 256)]
    lowest, highest = min(piece.min() for piece in pieces), max(piece.max() for piece in pieces)
    return float(np.log10(lowest)), float(np.log10(highest))
