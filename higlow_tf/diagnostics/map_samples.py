"""Two samples of maps that are compared: checked once, their logarithms and power spectra computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from threading import RLock
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.fields import as_positive_maps, as_simulation, map_field
from higlow_tf.diagnostics.power_spectrum import PowerSpectrum, check_box_size, power_spectrum
from higlow_tf.errors import InputError

__all__ = ["MapSamples", "MapSet"]

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class MapSet:
    """Maps of some simulations, and what is measured of each of them.

    A field or a spectrum is computed when it is asked for the first time, and kept. Several threads may ask at once: each
    result is computed once. The kept arrays are read-only. Do not change `maps` afterwards: what was kept would stay.

    Attributes:
        maps: `[N, n, n]`, physical units. Finite and positive, also for statistics of the overdensity: every comparison
            takes logarithms, and a map with zeros has none. `overdensity`, `power_spectrum` and `power_correlation`
            take such maps as they are.
        simulation: Simulation of each map, `[N]`.
        box_size_mpc_h: Side of the box, Mpc/h.
        theta: Parameters of each map, `[N, P]`; None where no statistic needs them.
        side: What its arrays are called in errors: "real" for `real_maps`; "" for `maps`.

    Raises:
        InputError: If maps are not square, finite and positive, the box has no size, or simulation or theta do not have
            one row a map.
    """

    maps: np.ndarray
    simulation: np.ndarray
    box_size_mpc_h: float
    theta: Float[np.ndarray, "N P"] | None = None
    side: str = ""
    _lock: Any = dataclass_field(default_factory=RLock, init=False, repr=False)
    _kept: dict[tuple[str, str], Any] = dataclass_field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        check_box_size(self.box_size_mpc_h)
        maps = as_positive_maps(self.maps, self.name_of("maps"))
        simulation = as_simulation(self.simulation, len(maps), self.name_of("simulation"))
        theta = None if self.theta is None else _as_theta(self.theta, len(maps), self.name_of("theta"))
        # The dataclass is frozen for its users; here its own fields become arrays.
        for name, array in (("maps", maps), ("simulation", simulation), ("theta", theta)):
            object.__setattr__(self, name, array)

    def __len__(self):
        return len(self.maps)

    def name_of(self, array: str) -> str:
        """Name of one of its arrays in errors, for example "real_maps"."""
        return f"{self.side}_{array}" if self.side else array

    @property
    def num_pixels(self) -> int:
        """Pixels a side of a map."""
        return self.maps.shape[1]

    @property
    def simulation_indices(self) -> np.ndarray:
        """Its simulations, sorted, `[S]`."""
        return self.once("simulation_indices", "", lambda: _read_only(np.unique(self.simulation)))

    def field(self, name: str) -> Float[np.ndarray, "N n n"]:
        """The field of this name of each map, `[N, n, n]`, float64; see `MAP_FIELDS`.

        Raises:
            InputError: If there is no such field.
        """
        of_maps = map_field(name).of_maps
        return self.once("field", name, lambda: _read_only(of_maps(self.maps)))

    def power(self, name: str) -> PowerSpectrum:
        """P(k) of the field of this name, map by map; see `power_spectrum`.

        Raises:
            InputError: If there is no such field, or a map has fewer than two pixels a side.
        """
        return self.once("power", name, lambda: self._measure_power(name))

    def log_power(self, name: str, rows: np.ndarray | None = None) -> Float[np.ndarray, "N K"]:
        """Natural logarithm of P(k) in (Mpc/h)**2, for statistics that are relative.

        Args:
            name: The field, a key of `MAP_FIELDS`.
            rows: Indices or mask of the maps that are wanted; None for all.

        Raises:
            InputError: As `power`, or if one of these maps has no power in a bin.
        """
        power = self.power(name).power_mpc2_h2
        power = power if rows is None else power[rows]
        has_none = np.any(power <= 0, axis=1)
        if has_none.any():
            raise InputError(
                f"{self.name_of('maps')}: expected maps that fluctuate on every scale. "
                f"Received: {np.count_nonzero(has_none)} of {len(has_none)} maps with no power in a bin."
            )
        return np.log(power)

    def _measure_power(self, name: str) -> PowerSpectrum:
        spectrum = power_spectrum(self.field(name), self.box_size_mpc_h)
        for array in (spectrum.k_h_mpc, spectrum.power_mpc2_h2, spectrum.modes):
            _read_only(array)
        return spectrum

    def once(self, kind: str, name: str, compute: Callable[[], _Result]) -> _Result:
        """What `compute()` returns, or has returned before for the same kind and name: what several statistics measure."""
        with self._lock:  # the same thread may enter again: a spectrum asks for its field
            if (kind, name) not in self._kept:
                self._kept[kind, name] = compute()
            return self._kept[kind, name]


@dataclass(frozen=True, eq=False)
class MapSamples:
    """Real and generated maps that a diagnostic compares.

    Give it to every diagnostic of the same maps: they share its logarithms and spectra.

    Attributes:
        real: The simulated maps.
        generated: The generated maps, of as many pixels, in the same box.

    Raises:
        InputError: If the two have other pixels, boxes or numbers of parameters.

    Example:
        >>> import numpy as np
        >>> maps = 10 ** np.random.default_rng(0).normal(size=(8, 4, 4))
        >>> samples = MapSamples.from_arrays(maps[:4], range(4), maps[4:], range(4), box_size_mpc_h=25.0)
        >>> samples.is_paired, samples.real.power("log10").power_mpc2_h2.shape
        (True, (4, 2))
    """

    real: MapSet
    generated: MapSet

    def __post_init__(self):
        real, generated = self.real, self.generated
        if real.num_pixels != generated.num_pixels:
            raise InputError(
                f"{generated.name_of('maps')}: expected maps of {real.maps.shape[1:]} pixels like the real ones. "
                f"Received: {generated.maps.shape[1:]}."
            )
        if real.box_size_mpc_h != generated.box_size_mpc_h:
            raise InputError(
                f"{generated.name_of('box_size_mpc_h')}: expected the box of the real maps, {real.box_size_mpc_h} Mpc/h. "
                f"Received: {generated.box_size_mpc_h}."
            )
        if real.theta is not None and generated.theta is not None and real.theta.shape[1] != generated.theta.shape[1]:
            raise InputError(
                f"{generated.name_of('theta')}: expected {real.theta.shape[1]} parameters like those of the real maps. "
                f"Received: {generated.theta.shape[1]}."
            )

    @classmethod
    def from_arrays(
        cls,
        real_maps: ArrayLike,
        real_simulation: ArrayLike,
        generated_maps: ArrayLike,
        generated_simulation: ArrayLike,
        box_size_mpc_h: float,
        *,
        real_theta: ArrayLike | None = None,
        generated_theta: ArrayLike | None = None,
    ) -> "MapSamples":
        """Checks the arrays of both sides, and puts them together.

        Args:
            real_maps, generated_maps: `[N, n, n]` and `[M, n, n]`, physical units, finite and positive.
            real_simulation, generated_simulation: Simulation of each map, `[N]` and `[M]`. A generated map has the index
                of the simulation whose parameters it was given.
            box_size_mpc_h: Side of the box, Mpc/h.
            real_theta, generated_theta: Parameters of each map, `[N, P]` and `[M, P]`; None where no statistic needs them.

        Raises:
            InputError: As `MapSet` and `MapSamples`.
        """
        real_theta = None if real_theta is None else np.asarray(real_theta)
        generated_theta = None if generated_theta is None else np.asarray(generated_theta)
        return cls(
            MapSet(np.asarray(real_maps), np.asarray(real_simulation), box_size_mpc_h, real_theta, "real"),
            MapSet(
                np.asarray(generated_maps),
                np.asarray(generated_simulation),
                box_size_mpc_h,
                generated_theta,
                "generated",
            ),
        )

    @property
    def box_size_mpc_h(self) -> float:
        """Side of the box, Mpc/h."""
        return self.real.box_size_mpc_h

    @property
    def is_paired(self) -> bool:
        """Whether both sides have the same simulations: each resample then takes the same on both sides."""
        return np.array_equal(self.real.simulation_indices, self.generated.simulation_indices)


def _as_theta(theta: ArrayLike, num_maps: int, name: str) -> np.ndarray:
    theta = np.asarray(theta, np.float64)
    if theta.ndim != 2 or len(theta) != num_maps or not theta.shape[1] or not np.isfinite(theta).all():
        raise InputError(
            f"{name}: expected one row of finite parameters for each of {num_maps} maps. Received: {theta.shape}, "
            f"{np.count_nonzero(~np.isfinite(theta))} not finite."
        )
    return theta


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
