"""ln P(k) of maps, for statistics that are relative."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.fields import FIELDS
from higlow_tf.diagnostics.power_spectrum import power_spectrum
from higlow_tf.errors import InputError

__all__ = ["log_power"]


def log_power(
    maps: ArrayLike, box_size_mpc_h: float, field: str, name: str
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, "N K"]]:
    """Returns the bin centres, h/Mpc, and the natural logarithm of P(k) in (Mpc/h)**2, as `power_spectrum` defines them.

    Raises:
        InputError: If the field is unknown, a map is no such map, or has no power in a bin; `name` stands in the error.
    """
    if field not in FIELDS:
        raise InputError(f'field: expected "log10" or "overdensity". Received: {field!r}.')
    spectrum = power_spectrum(FIELDS[field](maps), box_size_mpc_h)
    has_none = np.any(spectrum.power_mpc2_h2 <= 0, axis=1)
    if has_none.any():
        raise InputError(
            f"{name}: expected maps that fluctuate on every scale. Received: {np.count_nonzero(has_none)} of "
            f"{len(has_none)} maps with no power in a bin."
        )
    return spectrum.k_h_mpc, np.log(spectrum.power_mpc2_h2)
