"""The likelihood of some parameters of a model, the others integrated over their prior."""

import math

import numpy as np
from scipy.special import logsumexp
from scipy.stats import qmc

from higlow_tf.data.parameters import nearest_name
from higlow_tf.errors import InputError
from higlow_tf.inference.nuisance_proposal import NUM_FIT_EVALUATIONS, NuisanceProposal

__all__ = [
    "MarginalLikelihood",
    "NUISANCE_DRAWS",
    "NUM_NUISANCE_DRAWS",
    "checked_nuisance_draws",
    "parameters_of_interest",
]

NUM_NUISANCE_DRAWS = 32
NUISANCE_DRAWS = ("adapted", "prior")
"""Where the draws come from, see `MarginalLikelihood`."""
_SEED = 0


class MarginalLikelihood:
    """A model seen as one of the parameters of interest.

    Math:
        log L(theta) = log(mean over draws nu_j of w_j exp(mean over the copies of the map of log p(copy | theta, nu_j)))

    "adapted" draws nu_j are where the nuisance parameters of the map are, given theta, and w_j are their importance weights
    (see `NuisanceProposal`). Those of the "prior" are scrambled Sobol points, the same for every theta and every map, and
    w_j = 1. Both are smooth in theta. A model without nuisance parameters has one empty draw, and is itself.

    Args:
        model: An object with `log_prob(hi_maps, theta)`, row by row, and `parameters`, a `ParameterSpace`. It may have an
            attribute `nuisance`, the names of those parameters that are not of interest.
        nuisance: These names, in the place of the model's; `()` for none; None for the model's.
        num_draws: J.
        nuisance_draws: "adapted" or "prior".

    Attributes:
        parameters: `ParameterSpace` of the parameters of interest, in the order of the model.
        nuisance: Names of the others.
        columns: Those of interest in the model's theta.
        draws: Those of the prior, `[J, Q]`, physical.
        proposal: `NuisanceProposal`; None without nuisance parameters, and for draws of the prior.

    Raises:
        InputError: If a name is unknown or occurs twice, no parameter is left, J is no positive integer, or the kind of draws is
            unknown.
    """

    def __init__(self, model, nuisance=None, num_draws=NUM_NUISANCE_DRAWS, nuisance_draws="adapted"):
        self.model = model
        known = model.parameters.names
        names = tuple((getattr(model, "nuisance", None) or ()) if nuisance is None else nuisance)
        _check(names, known, num_draws)
        self.nuisance = tuple(name for name in known if name in names)
        self.columns = np.array([column for column, name in enumerate(known) if name not in names])
        self.parameters = model.parameters.without(self.nuisance)
        self._others = np.array([known.index(name) for name in self.nuisance], int)
        self.draws, self.proposal = np.empty((1, 0)), None
        checked_nuisance_draws(nuisance_draws)
        if names:
            if nuisance_draws == "adapted":
                self.proposal = NuisanceProposal(model.parameters, self.columns, num_draws)
            space = model.parameters.without(self.parameters.names)
            sobol = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(_SEED))
            unit = sobol.random_base2(math.ceil(math.log2(num_draws)))[:num_draws]
            self.draws = space.from_unit(unit)

    @property
    def num_draws(self):
        """J; 1 without nuisance parameters."""
        return len(self.draws)

    def num_evaluations(self, num_points):
        """Likelihoods of the model that so many points of one map take, for each of its copies."""
        return num_points * self.num_draws + (0 if self.proposal is None else NUM_FIT_EVALUATIONS)

    @property
    def order(self):
        """Which column of (parameters of interest, nuisance parameters) is each column of the model's theta, `[P + Q]`."""
        return np.argsort(np.concatenate([self.columns, self._others]))

    def rows(self, theta):
        """Each theta `[G, P]` with each draw of the prior: the model's theta `[G * J, P + Q]`."""
        theta = np.asarray(theta)
        pairs = np.repeat(theta, self.num_draws, axis=0), np.tile(self.draws, (len(theta), 1))
        return np.concatenate(pairs, axis=1)[:, self.order]

    def average(self, log_prob):
        """Log of the mean over the draws of the likelihoods, `[..., J]` -> `[...]`."""
        return logsumexp(log_prob, axis=-1) - math.log(self.num_draws)

    def completed(self, hi_maps, theta):
        """The model's theta of maps at parameters of interest: with that draw of the prior under which each map is most probable.

        Args:
            hi_maps: `[N, H, W]` (or `[N, H, W, C]`).
            theta: `[N, P]`.

        Returns:
            `[N, P + Q]`.
        """
        theta = np.asarray(theta)
        if not self.nuisance:
            return theta
        best = np.empty((len(theta), len(self.order)))
        for index, hi_map in enumerate(np.asarray(hi_maps)):
            rows = self.rows(theta[index : index + 1])
            log_prob = np.asarray(self.model.log_prob(np.broadcast_to(hi_map, (len(rows), *hi_map.shape)), rows))
            best[index] = rows[np.argmax(np.nan_to_num(log_prob, nan=-np.inf))]
        return best

    def to_config(self):
        """What tells marginal likelihoods of one model apart, as JSON-compatible values."""
        config = {"nuisance": list(self.nuisance), "draws": self.draws.tolist()}
        return config if self.proposal is None else {**config, "proposal": self.proposal.to_config()}


def checked_nuisance_draws(kind):
    """The kind of draws; an `InputError` if it is unknown."""
    if kind not in NUISANCE_DRAWS:
        raise InputError(f"nuisance_draws: expected one of {', '.join(NUISANCE_DRAWS)}. Received: {kind!r}.")
    return kind


def parameters_of_interest(model):
    """`ParameterSpace` of the parameters that the posteriors of a model have by default."""
    return model.parameters.without(getattr(model, "nuisance", None) or ())


def _check(names, known, num_draws):
    for name in names:
        if name not in known or names.count(name) > 1:
            raise InputError(
                f"nuisance: expected some of {', '.join(known)}, each once (did you mean {nearest_name(name, known)!r}?). "
                f"Received: {name!r}."
            )
    if len(names) == len(known):
        raise InputError(f"nuisance: expected at least one of {', '.join(known)} to be left. Received: all of them.")
    if isinstance(num_draws, bool) or not isinstance(num_draws, (int, np.integer)) or num_draws < 1:
        raise InputError(f"num_nuisance_draws: expected a positive integer. Received: {num_draws!r}.")
