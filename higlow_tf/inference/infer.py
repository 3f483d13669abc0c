"""From maps to the posterior of their parameters."""

import hashlib
from dataclasses import asdict, replace
from functools import partial

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.expected_rows import expect_rows
from higlow_tf.inference.cache import AnswerCache
from higlow_tf.inference.calibration import Calibration, chosen_calibration
from higlow_tf.inference.ensemble import ensemble_for
from higlow_tf.inference.groups import make_groups
from higlow_tf.inference.likelihood import MapLikelihood, Target, checked_maps
from higlow_tf.inference.map_warnings import warn_of_seen_maps, warn_of_unusual_maps
from higlow_tf.inference.marginal_likelihood import NUM_NUISANCE_DRAWS, MarginalLikelihood
from higlow_tf.inference.methods import make_sampler, method_options
from higlow_tf.inference.posterior import EDGE_SHARE, Posterior
from higlow_tf.inference.priors import Prior
from higlow_tf.inference.result import GroupResult
from higlow_tf.inference.widening import normalized_widening

__all__ = ["infer"]

# Mass next to an edge of the prior that is worth a note; a flat posterior has 0.02.
_NOTABLE_AT_EDGE = 0.05
# Fewer effective draws of the nuisance parameters are worth a note.
_FEWEST_GOOD_NUISANCE_ESS = 3.0
# Points of most posteriors of two parameters, from which the work of a call is told in advance.
_USUAL_POINTS = 100


def infer(
    model,
    hi_maps,
    prior=None,
    method="grid",
    combine=None,
    calibration="stored",
    progress=None,
    *,
    map_correlation=None,
    num_symmetries=None,
    num_flows=None,
    nuisance=None,
    num_nuisance_draws=NUM_NUISANCE_DRAWS,
    allow_extrapolation=False,
    seed=0,
    cache_dir=None,
    warn_of_maps=True,
    **options,
):
    """Infers the parameters of maps.

    Definition:
        log posterior(theta) = tempering * log p(map | theta) + log prior(theta) + constant, then convolved with the
        calibration's widening (see `Calibration`); log p is the mean over `num_symmetries` copies of the map, and nuisance
        parameters are integrated over their prior (see `MarginalLikelihood`)

    Args:
        model: An object with `log_prob(hi_maps, theta)`, row by row, and `parameters`, a `ParameterSpace`. It may have an
            attribute `nuisance`, names of parameters that are not of interest.
        hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`).
        prior: `Prior` of the parameters of interest; None for the prior of training.
        method: "grid" (one to three parameters), "importance" (any number), or "nuts" (any number; needs gradients).
        combine: None for one posterior a map; "independent" for one posterior of all maps, which must come from
            different simulations; or the simulation of each map, integers `[N]`, for one posterior a simulation, in
            ascending order.
        calibration: "stored" for that of the model, if it has one; None for the raw posterior; or a `Calibration`, or its
            configuration.
        progress: Called as `progress("posteriors", done, total)`; within a posterior, `done` may be a fraction.
        map_correlation: Correlation of maps of one simulation, 0-1, in place of the calibration's.
        num_symmetries: Shifted, rotated and reflected copies of a map over which its log-likelihood is averaged (see
            `symmetry_indices`); None for the calibration's, or 1 without one. The time grows with it.
        num_flows: Flows of the model's ensemble over which the log-likelihood is averaged, too (`FlowEnsemble`); None for the
            calibration's, or 1 without one. The time grows with it.
        nuisance: Names of the parameters to integrate over; None for those of the model, `()` for a posterior of all parameters.
        num_nuisance_draws: Draws of the nuisance parameters at each theta. The time grows with it. The diagnostic `nuisance_ess`
            says how many of them count at the posterior mean; where they are few, the integral is rough. Where they are drawn
            is what the calibration was fitted with (`nuisance_draws`), and "adapted" without one.
        allow_extrapolation: Whether the prior may reach beyond that of training.
        seed: Seed of draws; together with the maps themselves, so that errors differ from map to map.
        cache_dir: Folder that keeps every finished posterior, so that a call that was interrupted goes on; or None. See
            `AnswerCache`.
        warn_of_maps: Whether to look for maps that are unlike those of training, and for maps that were trained on, where
            the model knows of both.
        **options: Those of `GridOptions`, `ImportanceOptions` or `NutsOptions`.

    Returns:
        `Posterior`. A map's posterior does not depend on the other maps, up to rounding: for many maps XLA compiles the model.

    Raises:
        InputError: If an argument is outside its range, or a map has no finite likelihood anywhere.

    Warns:
        InputWarning: If a map is unlike those of training or was trained on (twelve sentences of each kind at most); if a file
            in `cache_dir` is damaged; if the prior reaches beyond that of training.

    References:
        [1] Friedman & Hassan. HIGlow. 2022. https://arxiv.org/abs/2211.12724
    """
    hi_maps = checked_maps(hi_maps)
    stored = chosen_calibration(model, calibration)
    model = ensemble_for(model, num_flows, stored)
    kind = (stored or Calibration()).nuisance_draws
    marginal = MarginalLikelihood(model, nuisance, num_nuisance_draws, kind)
    parameters = marginal.parameters
    if prior is not None and not isinstance(prior, Prior):
        raise InputError(f"prior: expected a Prior or None. Received: {prior!r}.")
    bound = (prior or Prior()).bind(parameters, allow_extrapolation)
    options = method_options(method, options)
    options.check(len(parameters))
    if stored is not None:
        stored.check_parameters(parameters.names)
    changes = {"map_correlation": map_correlation, "num_symmetries": num_symmetries}
    changes = {name: value for name, value in changes.items() if value is not None}
    acting = replace(stored or Calibration(), **changes)
    groups, combined, simulation = make_groups(combine, len(hi_maps), acting)
    if warn_of_maps:
        warn_of_seen_maps(model, hi_maps)
    posterior_of = _posterior_of_group(
        marginal, hi_maps, bound, method, options, acting, seed, AnswerCache(cache_dir, model)
    )
    results = []
    for number, group in enumerate(groups):
        advance = _advance(progress, number, len(groups))
        with expect_rows(len(hi_maps) * acting.num_symmetries * marginal.num_evaluations(_USUAL_POINTS)):
            results.append(posterior_of(group, advance))
        advance(1)
    posterior = Posterior(
        **_stacked(results, len(parameters)),
        parameters=parameters,
        method=method,
        prior=bound.to_config(),
        calibration=acting if changes else stored,
        combine=combined,
        simulation=simulation,
    )
    if warn_of_maps:
        warn_of_unusual_maps(marginal, hi_maps, posterior.mean[_group_of_map(groups, len(hi_maps))])
    notes = [
        f"{group.name}: {note}" for group, result in zip(groups, results, strict=True) for note in _notes(group, result)
    ]
    return replace(posterior, notes=(*notes, *_edge_notes(posterior, [group.name for group in groups])))


def _posterior_of_group(marginal, hi_maps, prior, method, options, calibration, seed, cache):
    """Function (group, advance) that gives the `GroupResult` of a group of maps, computed or kept."""
    parameters = prior.parameters
    run = make_sampler(method, marginal, prior, options)
    widening_at = partial(normalized_widening, parameters, calibration.widening_of(len(parameters)))
    settings = {
        "method": method,
        "options": asdict(options),
        "prior": prior.fingerprint() if cache.is_kept else None,
        "parameters": parameters.to_config(),
        "widening": calibration.widening,
        "num_symmetries": calibration.num_symmetries,
        "seed": seed,
        "marginal": marginal.to_config(),
    }

    def posterior_of(group, advance):
        def compute():
            likelihoods = [MapLikelihood(marginal, hi_maps[row], row, calibration.num_symmetries) for row in group.rows]
            target = Target(likelihoods, prior, group.weight)
            result = run(target, widening_at, options, seed=_seed_of(target, seed), advance=advance)
            if marginal.nuisance:
                result = _with_nuisance_ess(result, likelihoods)
            return replace(result, counts=target.counts()).to_answer()

        maps = hi_maps[group.rows]
        return GroupResult.from_answer(
            *cache.get_or_compute("posterior", [settings, group.weight, maps], compute, hi_maps=maps)
        )

    return posterior_of


def _with_nuisance_ess(result, likelihoods):
    """The result with the number of nuisance draws that count at its mean, the least of all maps; with a note if it is small."""
    mean = np.exp(result.log_posterior) @ result.theta_grid
    ess = min(likelihood.nuisance_ess(mean) for likelihood in likelihoods)
    notes = list(result.notes)
    if ess < _FEWEST_GOOD_NUISANCE_ESS:
        notes.append(
            f"the draws of the nuisance parameters count as only {ess:.1f} at the posterior mean: the integral is rough"
        )
    return replace(result, diagnostics={**result.diagnostics, "nuisance_ess": ess}, notes=notes)


def _advance(progress, number, num_groups):
    """Function of the share of a group's work that is done."""

    def advance(share):
        if progress is not None:
            progress("posteriors", round(number + share, 2), num_groups)

    return advance


def _stacked(results, num_parameters):
    """The fields of a `Posterior` that have one row a group."""
    first = results[0]
    names = {
        "theta_grid": "theta_grid",
        "log_posterior": "log_posterior",
        "map_estimate": "map_estimate",
        "boxes": "box",
    }
    # Cells along each parameter; none for draws.
    side = round(len(first.log_posterior) ** (1.0 / num_parameters))
    return {
        **{name: np.stack([getattr(result, part) for result in results]) for name, part in names.items()},
        "shape": (side,) * num_parameters if len(first.box) else (),
        "diagnostics": {name: np.stack([result.diagnostics[name] for result in results]) for name in first.diagnostics},
    }


def _group_of_map(groups, num_maps):
    """Index of the group of each map, `[N]`."""
    indices = np.empty(num_maps, int)
    for number, group in enumerate(groups):
        indices[group.rows] = number
    return indices


def _notes(group, result):
    """What a reader should know of the posterior of a group, in words."""
    bad = [
        f"{num_nan} of {num_evaluations} likelihoods of map {row} were NaN or +inf and count as zero"
        for row, (num_nan, num_evaluations) in zip(group.rows, result.counts, strict=True)
        if num_nan
    ]
    return [*([group.note] if group.note else []), *result.notes, *bad]


def _seed_of(target, seed):
    """A seed below 2**31. It depends on the user's seed and the pixels of these maps, not on other maps."""
    digest = hashlib.sha256(str(seed).encode())
    for likelihood in target.likelihoods:
        digest.update(np.ascontiguousarray(likelihood.hi_map).tobytes())
    return int.from_bytes(digest.digest()[:4], "big") >> 1


def _edge_notes(posterior, names):
    """Where a posterior piles up at an edge of the prior, in words."""
    return [
        f"{names[i]}: {100 * posterior.at_edge[i, j]:.0f} % of the posterior of {posterior.parameters.names[j]} lies in the "
        f"outer {100 * EDGE_SHARE:.0f} % of its prior, next to an edge"
        for i, j in zip(*np.nonzero(posterior.at_edge > _NOTABLE_AT_EDGE), strict=True)
    ]
