"""From maps to the posterior of their parameters."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import partial

import numpy as np

from higlow_tf.data.parameters import nearest_name
from higlow_tf.errors import InputError
from higlow_tf.inference.cache import ResultCache
from higlow_tf.inference.calibration import Calibration
from higlow_tf.inference.grid import GridOptions, grid_group
from higlow_tf.inference.groups import make_groups
from higlow_tf.inference.importance import ImportanceOptions, importance_group
from higlow_tf.inference.likelihood import MapLikelihood, Target, checked_maps
from higlow_tf.inference.posterior import EDGE_SHARE, Posterior
from higlow_tf.inference.priors import Prior
from higlow_tf.inference.widening import normalized_widening

__all__ = ["METHODS", "infer"]

METHODS = ("grid", "importance", "nuts")
# Mass next to an edge of the prior that is worth a note; a flat posterior has 0.02.
_NOTABLE_AT_EDGE = 0.05


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
    allow_extrapolation=False,
    seed=0,
    cache_dir=None,
    **options,
):
    """Infers the parameters of maps.

    Definition:
        log posterior(theta) = tempering * log p(map | theta) + log prior(theta) + constant, then convolved with the
        calibration's widening (see `Calibration`); log p is the mean over `num_symmetries` copies of the map

    Args:
        model: An object with `log_prob(hi_maps, theta)`, row by row, and `parameters`, a `ParameterSpace`.
        hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`).
        prior: `Prior`; None for the prior of training.
        method: "grid" (one to three parameters), "importance" (any number), or "nuts" (any number; needs gradients).
        combine: None for one posterior a map; "independent" for one posterior of all maps, which must come from
            different simulations; or the simulation of each map, integers `[N]`, for one posterior a simulation, in
            ascending order.
        calibration: "stored" for that of the model, if it has one; None for the raw posterior; or a `Calibration`.
        progress: Called as `progress(done, total)`, in posteriors; within one, `done` may be a fraction.
        map_correlation: Correlation of maps of one simulation, 0-1, in place of the calibration's.
        num_symmetries: Shifted, rotated and reflected copies of a map over which its log-likelihood is averaged (see
            `symmetry_indices`); None for the calibration's, or 1 without one. The time grows with it.
        allow_extrapolation: Whether the prior may reach beyond that of training.
        seed: Seed of draws; together with the maps themselves, so that errors differ from map to map.
        cache_dir: Folder that keeps every finished posterior, so that a call that was interrupted goes on; or None.
        **options: Those of `GridOptions`, `ImportanceOptions` or `NutsOptions`.

    Returns:
        `Posterior`. A map's posterior does not depend on the other maps.

    Raises:
        InputError: If an argument is outside its range, or a map has no finite likelihood anywhere.

    References:
        [1] Friedman & Hassan. HIGlow. 2022. https://arxiv.org/abs/2211.12724
    """
    hi_maps = checked_maps(hi_maps)
    parameters = model.parameters
    if prior is not None and not isinstance(prior, Prior):
        raise InputError(f"prior: expected a Prior or None. Received: {prior!r}.")
    bound = (prior or Prior()).bind(parameters, allow_extrapolation)
    options = _method_options(method, options)
    options.check(len(parameters))
    applied = _applied_calibration(model, calibration)
    acting = applied or Calibration()
    if map_correlation is not None:
        acting = replace(acting, map_correlation=map_correlation)
    if num_symmetries is not None:
        acting = replace(acting, num_symmetries=num_symmetries)
    groups, combined, simulation = make_groups(combine, len(hi_maps), acting)
    run = _sampler(method, model, bound, options)
    settings = {
        "method": method,
        "options": asdict(options),
        "prior": bound.to_config(),
        "parameters": parameters.to_config(),
        "widening": acting.widening,
        "num_symmetries": acting.num_symmetries,
        "seed": seed,
    }
    cache = ResultCache(cache_dir, settings)
    widening_at = partial(normalized_widening, parameters, acting.widening_of(len(parameters)))
    results, notes = [], []
    for number, group in enumerate(groups):
        likelihoods = [MapLikelihood(model, hi_maps[row], row, acting.num_symmetries) for row in group.rows]
        target = Target(likelihoods, bound, group.weight)

        def report(share, done=number):
            if progress is not None:
                progress(round(done + share, 2), len(groups))

        def compute(target=target, report=report):
            result = run(target, widening_at, options, seed=_seed_of(target, seed), report=report)
            return replace(result, notes=[*result.notes, *target.notes()])

        result = cache.get_or_compute(target, group.weight, compute)
        results.append(result)
        notes += [f"{group.name}: {note}" for note in [group.note, *result.notes] if note]
        report(1)
    posterior = Posterior(
        parameters=parameters,
        theta_grid=np.stack([result.theta_grid for result in results]),
        log_posterior=np.stack([result.log_posterior for result in results]),
        map_estimate=np.stack([result.map_estimate for result in results]),
        boxes=np.stack([result.box for result in results]),
        shape=_shape(results[0], len(parameters)),
        method=method,
        prior=bound.to_config(),
        calibration=applied if map_correlation is None and num_symmetries is None else acting,
        combine=combined,
        simulation=simulation,
        diagnostics={
            name: np.stack([result.diagnostics[name] for result in results]) for name in results[0].diagnostics
        },
    )
    edge_notes = _edge_notes(posterior, [group.name for group in groups])
    return replace(posterior, notes=(*notes, *edge_notes))


def _method_options(method, options):
    """The options of a method, checked; one that is unknown is an error."""
    if method not in METHODS:
        raise InputError(f"method: expected one of {METHODS}. Received: {method!r}.")
    if method == "nuts":
        # TensorFlow takes seconds to load; the other methods leave it to the model.
        from higlow_tf.inference.nuts import NutsOptions

        kind = NutsOptions
    else:
        kind = {"grid": GridOptions, "importance": ImportanceOptions}[method]
    names = [option.name for option in fields(kind)]
    for name in options:
        if name not in names:
            raise InputError(
                f"infer: expected options of {method!r} among {', '.join(names)} "
                f"(did you mean {nearest_name(name, names)!r}?). Received: {name!r}."
            )
    return kind(**options)


def _sampler(method, model, prior, options):
    if method == "nuts":
        from higlow_tf.inference.nuts import NutsSampler

        return NutsSampler(model, prior, options)
    return {"grid": grid_group, "importance": importance_group}[method]


def _applied_calibration(model, calibration):
    """The calibration to apply, or None."""
    if isinstance(calibration, str) and calibration == "stored":
        calibration = getattr(model, "calibration", None)
        if isinstance(calibration, Mapping):  # as it is stored with the model
            calibration = Calibration.from_config(calibration)
    if calibration is not None and not isinstance(calibration, Calibration):
        raise InputError(f"calibration: expected 'stored', None or a Calibration. Received: {calibration!r}.")
    return calibration


def _seed_of(target, seed):
    """A seed below 2**31 from the user's and the pixels of the maps, whatever other maps there are."""
    digest = hashlib.sha256(str(seed).encode())
    for likelihood in target.likelihoods:
        digest.update(np.ascontiguousarray(likelihood.hi_map).tobytes())
    return int.from_bytes(digest.digest()[:4], "big") >> 1


def _shape(result, num_parameters):
    """Cells along each parameter; empty for draws."""
    if not len(result.box):
        return ()
    return (round(len(result.log_posterior) ** (1.0 / num_parameters)),) * num_parameters


def _edge_notes(posterior, names):
    """Where a posterior piles up at an edge of the prior, in words."""
    return [
        f"{names[i]}: {100 * posterior.at_edge[i, j]:.0f} % of the posterior of {posterior.parameters.names[j]} lies in the "
        f"outer {100 * EDGE_SHARE:.0f} % of its prior, next to an edge"
        for i, j in zip(*np.nonzero(posterior.at_edge > _NOTABLE_AT_EDGE), strict=True)
    ]
