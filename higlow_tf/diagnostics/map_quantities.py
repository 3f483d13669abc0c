"""Numbers that a whole map shares: how bright, how rough and how strong on large scales it is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from higlow_tf.diagnostics.map_samples import MapSamples, MapSet

__all__ = ["MapQuantities", "bright_log10", "map_quantities"]

# Damped systems at z = 6 in (Msun/h)/(Mpc/h)**2: above it lie the haloes, where nuisance parameters act most.
_BRIGHT_LOG10 = 8.0
# Where fewer or more simulated pixels are brighter, that number means nothing for the data; then this quantile stands in.
_BRIGHT_SHARES = (1e-3, 0.5)
_BRIGHT_QUANTILE = 0.975

_NUM_LOWEST_K = 3


@dataclass(frozen=True)
class MapQuantities:
    """`Q` numbers of each of `N` maps.

    Attributes:
        names: Their keys, identifiers.
        labels: Their names in words.
        values: `[N, Q]`.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    values: Float[np.ndarray, "N Q"]


def bright_log10(samples: MapSamples) -> float:
    """The log10 pixel above which a pixel counts as bright: 8, or the quantile 0.975 of the simulated pixels.

    The quantile stands in where less than a thousandth, or more than half, of the simulated pixels lie above 8.
    """
    pixels = samples.real.field("log10")
    lowest, highest = _BRIGHT_SHARES
    is_common = lowest <= np.mean(pixels > _BRIGHT_LOG10) <= highest
    return _BRIGHT_LOG10 if is_common else float(np.quantile(pixels, _BRIGHT_QUANTILE))


def map_quantities(map_set: MapSet, bright: float) -> MapQuantities:
    """Measures what a whole map shares.

    Definition, for u = log10 of the map:
        bright_area: share of pixels with u > bright
        percentile_90, median, sd: of the pixels u
        gradient: mean of (u - u of the next pixel)**2, over both axes, periodic
        ln_power_1, ln_power_2, ln_power_3: ln P(k) of u in the three lowest bins

    Args:
        map_set: `N` maps.
        bright: As of `bright_log10`; the same for both sides.

    Raises:
        InputError: If a map has no power in a bin.
    """
    u = map_set.field("log10")
    ln_power = map_set.log_power("log10")[:, :_NUM_LOWEST_K]
    k_h_mpc = map_set.power("log10").k_h_mpc[:_NUM_LOWEST_K]
    percentile_90, median = np.percentile(u, (90, 50), axis=(1, 2))
    columns = {
        "bright_area": (f"area above log10 = {bright:.3g}", np.mean(u > bright, axis=(1, 2))),
        "percentile_90": ("90th percentile", percentile_90),
        "median": ("median", median),
        "sd": ("sd of pixels", u.std(axis=(1, 2))),
        "gradient": (
            "squared gradient",
            sum(np.mean((np.roll(u, 1, axis) - u) ** 2, axis=(1, 2)) for axis in (1, 2)) / 2,
        ),
    }
    for number, (k, of_bin) in enumerate(zip(k_h_mpc, ln_power.T, strict=True), start=1):
        columns[f"ln_power_{number}"] = f"ln P(k), k = {k:.2f} h/Mpc", of_bin
    labels, values = zip(*columns.values(), strict=True)
    return MapQuantities(tuple(columns), labels, np.stack(values, axis=1))
