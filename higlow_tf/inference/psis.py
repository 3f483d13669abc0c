"""Pareto-smoothed importance sampling."""

import numpy as np

__all__ = ["LARGEST_GOOD_PARETO_K", "pareto_smoothed"]

# Above it importance weights cannot be trusted, whatever the number of draws (Vehtari et al. 2024, section 3).
LARGEST_GOOD_PARETO_K = 0.7
_FEWEST_TAIL_DRAWS = 5


def pareto_smoothed(log_weights):
    """Replaces the largest importance weights by quantiles of a generalised Pareto distribution fitted to them.

    Args:
        log_weights: Raw log-weights `[S]`, up to a constant.

    Returns:
        Smoothed log-weights `[S]`, and k-hat, the shape of the tail: the weights have 1 / k-hat finite moments. It is
        infinite where too few draws have weight to fit it, and -inf where all weights are equal.

    References:
        [1] Vehtari, Simpson, Gelman, Yao & Gabry. Pareto smoothed importance sampling. JMLR 2024.
            https://arxiv.org/abs/1507.02646
        [2] Zhang & Stephens. Technometrics 51, 316 (2009).
    """
    log_weights = np.asarray(log_weights, dtype=np.float64)
    relative = log_weights - log_weights.max()
    num_draws = len(relative)
    num_tail = int(min(0.2 * num_draws, 3.0 * np.sqrt(num_draws)))
    order = np.argsort(relative, kind="stable")
    tail, cutoff = order[-num_tail:], np.exp(relative[order[-num_tail - 1]])
    excess = np.exp(relative[tail]) - cutoff
    if np.ptp(relative) < 1e-9:
        return relative, -np.inf
    if num_tail < _FEWEST_TAIL_DRAWS or excess[num_tail // 4] <= 0:
        return relative, np.inf
    shape, scale = _fit_generalized_pareto(np.maximum(excess, np.finfo(float).tiny))
    quantiles = (np.arange(num_tail) + 0.5) / num_tail
    smoothed = relative.copy()
    growth = -np.log1p(-quantiles)
    values = scale * (np.expm1(shape * growth) / shape if abs(shape) > 1e-9 else growth) + cutoff
    smoothed[tail] = np.minimum(np.log(values), 0.0)
    return smoothed, float(shape)


def _fit_generalized_pareto(x):
    """Shape k and scale of sorted excesses: the posterior mean of Zhang & Stephens, k drawn weakly to 0.5."""
    num = len(x)
    num_candidates = 30 + int(np.sqrt(num))
    quartile = x[int(num / 4 + 0.5) - 1]
    theta = 1.0 / x[-1] + (1.0 - np.sqrt(num_candidates / (np.arange(1, num_candidates + 1) - 0.5))) / (3.0 * quartile)
    shape = np.mean(np.log1p(-theta[:, None] * x), axis=1)
    log_likelihood = num * (np.log(-theta / shape) - shape - 1.0)
    weights = np.exp(log_likelihood - log_likelihood.max())
    theta = np.sum(theta * weights) / weights.sum()
    shape = np.mean(np.log1p(-theta * x))
    # Scale first: it belongs to the shape that was fitted.
    scale = -shape / theta
    return (num * shape + 10 * 0.5) / (num + 10), scale
