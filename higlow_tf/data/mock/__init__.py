"""The mock suite: HI maps with the structure of simulations, from a particle mesh, in seconds.

Dark matter moves on a particle mesh (second-order initial conditions, FastPM time steps). Neutral hydrogen is painted on it
in photo-ionisation equilibrium with self-shielding, and in haloes below the resolution of the mesh. The maps are periodic,
and have filaments, knots and voids. They depend on Omega_m, sigma_8 and four nuisance parameters, which replace the
astrophysical ones of CAMELS. They are mocks: no gas dynamics, no radiative transfer, constants set by eye.
"""

import importlib

from higlow_tf.data.mock.variants import VARIANTS, Variant

__all__ = ["VARIANTS", "Variant", "simulate", "write_mock"]

_HOMES = {"simulate": "higlow_tf.data.mock.simulation", "write_mock": "higlow_tf.data.mock.writer"}


def __getattr__(name):
    """Imports at first use: numba takes 100 MB, and reading maps does not need it."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
