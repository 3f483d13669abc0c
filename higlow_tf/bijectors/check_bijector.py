"""The contract of bijectors as one call, for those that are written elsewhere."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from higlow_tf.bijectors.contract import CHECKS
from higlow_tf.bijectors.contract_scope import applies

__all__ = ["BijectorCase", "Built", "check_bijector"]


@dataclass
class Built:
    """A bijector, its weights (`frozen`: those that no gradient need reach) and its network, where it has one.

    The network is a callable with an attribute `num_calls`.
    """

    bijector: Any
    weights: list = field(default_factory=list)
    frozen: list = field(default_factory=list)
    network: Any = None


@dataclass(frozen=True, eq=False)
class BijectorCase:
    """What the contract needs to know of a bijector.

    Attributes:
        kind: The class that the case stands for.
        build: From the name of a dtype to `Built`, weights randomised.
        latent_shape, map_shape: Shapes of one event on either side.
        conditional_shape: Shape of one condition; None for an unconditional bijector.
        is_permutation: Whether the entries are only moved.
        positive: Which side, "latents" or "maps", must be positive; None for neither.
        calls_per_pass: How often an eager pass evaluates the network.
        is_jitted: Whether XLA compiles it in the test, which may take seconds.
    """

    kind: type
    build: Callable
    latent_shape: tuple = (4, 4, 4)
    map_shape: tuple = (4, 4, 4)
    conditional_shape: tuple | None = None
    is_permutation: bool = False
    positive: str | None = None
    calls_per_pass: int = 1
    is_jitted: bool = True

    @functools.cached_property
    def _built(self):
        return {}

    def built(self, dtype):
        """The bijector of a dtype, built once."""
        if dtype not in self._built:
            self._built[dtype] = self.build(dtype)
        return self._built[dtype]


def check_bijector(build, latent_shape, *, map_shape=None, conditional_shape=None, positive=None, is_jitted=True):
    """Checks a bijector as those of this package are tested.

    Definition:
        Both round trips, in float64 to 1e-9 and in float32. Log-determinants against that of the autodiff Jacobian of the
        whole event. Any batch shape, dtype and neighbour in the batch; one trace for every batch size, and XLA. The condition
        is required, and changes value and log-determinant. Shapes and density of `TransformedDistribution`; `copy`. The
        gradient of the density reaches every weight, and no call changes a weight.

    What it can and cannot show: it draws three events and conditions by a fixed seed, of about unit size. Small events are enough
        (4 x 4 x 4), and the Jacobian takes one of them for each entry.

    Args:
        build: Callable from the name of a dtype, "float64" or "float32", to a `OnePassBijector`; or to the pair of it and of the
            list of its trainable `tf.Variable`s. Its numbers must be random: one that begins as the identity proves nothing.
        latent_shape: Shape of one event on the side of the latents.
        map_shape: That on the side of the map; None for the same.
        conditional_shape: Shape of one condition, `(P,)`; None for an unconditional bijector.
        positive: Which side, "latents" or "maps", must be positive; None for neither.
        is_jitted: Whether XLA compiles it, too.

    Raises:
        ContractError: With what is broken, what was expected and what was found.

    Example:
        >>> from higlow_tf.bijectors import Exp10
        >>> check_bijector(lambda dtype: Exp10(), (2, 2, 1), positive="maps", is_jitted=False)
    """

    def built(dtype):
        found = build(dtype)
        return Built(*found) if isinstance(found, tuple) else Built(found)

    case = BijectorCase(
        type(built("float64").bijector),
        built,
        tuple(latent_shape),
        tuple(latent_shape if map_shape is None else map_shape),
        conditional_shape,
        positive=positive,
        is_jitted=is_jitted,
    )
    for name, check in CHECKS.items():
        if applies(name, case):
            check(case)
