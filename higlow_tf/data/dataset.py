"""Maps, and the parameters of the simulations from which they come."""

import copy
import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from higlow_tf.data.big_arrays import IN_MEMORY_BYTES, MappedRows, is_mapped, map_chunks
from higlow_tf.data.checks import (
    as_float32_maps,
    as_simulation,
    as_theta,
    check_geometry,
    check_pixels,
    check_simulations,
    count_zeros,
    number_distinct_rows,
    numeric_array,
    per_map,
    read_only,
)
from higlow_tf.data.map_hash import map_hash
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.data.splits import check_splittable, split_simulations
from higlow_tf.errors import InputError
from higlow_tf.map_transforms import check_map_transform, default_units

__all__ = ["HIMapDataset"]

_DEFAULT_PARAMETERS = ("Omega_m", "sigma_8")


@dataclass(frozen=True, eq=False, repr=False)
class HIMapDataset:
    """Maps in physical units, one row of parameters a map, and the simulation that each map belongs to.

    Everything is checked once, when the dataset is made, and is read-only after that. Maps that are memory-mapped float32 stay
    on disk. A selection of them is copied into memory. If it takes more than `IN_MEMORY_BYTES`, it is `MappedRows` instead:
    indices of rows, which are read when they are needed.

    Args:
        maps: `[N, H, H]` or `[N, H, H, C]`, any integer or real type; kept as float32.
        theta: Parameters in physical units, `[N, P]`; constant within a simulation.
        parameters: `ParameterSpace` of the P columns.
        simulation: Index of the simulation of each map, integers `[N]`.
        box_size_mpc_h, redshift: Side of the (periodic) map; redshift, or None if not known.
        units: Units of the pixels; None for (Msun/h)/(Mpc/h)^2, or "not stated" with map_transform="identity".
        suite, set_name: Names of the suite of simulations and of its set ("LH", "CV", ...), or None.
        field: Name of the field ("HI"), a tuple of one name a channel, or None.
        other_parameters: Further numbers of each map, name -> `[N]`.
        source: Names of the files that were read: those of the maps, then that of the parameters if it is another file.
        native_size: Pixels a side before regridding; None for the size of `maps`.
        slab_thickness_mpc_h: Depth of the maps, if they were projected from three-dimensional grids; otherwise None.
        zero_floor: The floor that replaced zeros, or None (see `ZeroFloor`).
        floored_by_map: Number of pixels of each map that were zero and got a floor, `[N]`.
        map_transform: What a model of these maps sees: "log10", or "identity". With "identity" pixels may be negative.

    Raises:
        InputError: If shapes, types or values are not as above, a pixel is not finite or negative, or a channel is constant.

    Warns:
        InputWarning: If two simulations have the same parameters (a split may then part copies of one simulation).
    """

    maps: np.ndarray
    theta: np.ndarray
    parameters: ParameterSpace
    simulation: np.ndarray
    box_size_mpc_h: float = 25.0
    redshift: float | None = None
    units: str | None = None
    suite: str | None = None
    set_name: str | None = None
    field: str | tuple | None = None
    other_parameters: dict | None = None
    source: tuple = ()
    native_size: int | None = None
    slab_thickness_mpc_h: float | None = None
    zero_floor: float | None = None
    floored_by_map: np.ndarray | None = None
    map_transform: str = "log10"

    def __post_init__(self):
        maps_name = ", ".join(self.source[:-1] or self.source) or "maps"
        theta_name = self.source[-1] if self.source else "theta"
        maps = as_float32_maps(self.maps, maps_name)
        theta = as_theta(self.theta, theta_name, self.parameters, len(maps))
        simulation = as_simulation(self.simulation, len(maps))
        others = {name: per_map(column, name, len(maps)) for name, column in (self.other_parameters or {}).items()}
        floored = np.zeros(len(maps), np.int64) if self.floored_by_map is None else self.floored_by_map
        floored = per_map(floored, "floored_by_map", len(maps))
        check_geometry(self.box_size_mpc_h, self.redshift)
        check_map_transform(self.map_transform)
        check_pixels(maps, maps_name, map_transform=self.map_transform)
        check_simulations(theta, simulation, others, theta_name, warn_of_copies=self.set_name != "CV")
        self._set(maps=maps, theta=read_only(theta), simulation=read_only(simulation), source=tuple(self.source))
        self._set(other_parameters={name: read_only(column) for name, column in others.items()})
        self._set(floored_by_map=read_only(floored), native_size=self.native_size or maps.shape[1])
        self._set(units=self.units or default_units(self.map_transform))

    @classmethod
    def from_arrays(
        cls,
        maps,
        theta,
        *,
        parameters=None,
        simulation=None,
        box_size_mpc_h=25.0,
        redshift=None,
        **metadata,
    ):
        """Makes a dataset from arrays (NumPy or TensorFlow).

        Args:
            maps: `[N, H, H]` or `[N, H, H, C]`, surface densities (not their logarithm); any maps for "identity".
            theta: One row a map, `[N, P]`.
            parameters: `ParameterSpace`, or names of the CAMELS registry and `ParameterSpec`s, in the order of the
                columns. With P = 2 the default is Omega_m, sigma_8; otherwise they must be given.
            simulation: Integers `[N]`. None: each distinct row of `theta` is one simulation, numbered in the order of
                first appearance.
            box_size_mpc_h, redshift: As in the class.
            **metadata: The other arguments of the class, by name.

        Returns:
            `HIMapDataset`.

        Raises:
            InputError: As in the class, and if the parameters are not named although P is not 2.
        """
        theta = numeric_array(theta, "theta")
        if parameters is None:
            if theta.ndim == 2 and theta.shape[1] != len(_DEFAULT_PARAMETERS):
                raise InputError(
                    f"parameters must name the columns of theta unless they are {' and '.join(_DEFAULT_PARAMETERS)}. "
                    f"Received: {theta.shape[1]} columns."
                )
            parameters = _DEFAULT_PARAMETERS
        if not isinstance(parameters, ParameterSpace):
            parameters = ParameterSpace.from_names(parameters)
        if simulation is None and theta.ndim == 2:
            simulation = number_distinct_rows(theta)
        return cls(
            maps=maps,
            theta=theta,
            parameters=parameters,
            simulation=simulation,
            box_size_mpc_h=box_size_mpc_h,
            redshift=redshift,
            **metadata,
        )

    def __repr__(self):
        return (
            f"HIMapDataset({self.num_maps} maps {self.maps.shape[1:]} of {self.num_simulations} simulations, "
            f"parameters={list(self.parameters.names)}, suite={self.suite}, redshift={self.redshift})"
        )

    def __len__(self):
        return self.num_maps

    @property
    def num_maps(self):
        return len(self.maps)

    @property
    def map_size(self):
        """Pixels along a side, H."""
        return self.maps.shape[1]

    @property
    def num_channels(self):
        return self.maps.shape[3] if self.maps.ndim == 4 else 1

    @functools.cached_property
    def simulation_indices(self):
        """The simulations of this dataset, sorted, `[S]`."""
        return read_only(np.unique(self.simulation))

    @property
    def num_simulations(self):
        return len(self.simulation_indices)

    @property
    def theta_by_simulation(self):
        """Parameters of each simulation in the order of `simulation_indices`, `[S, P]`."""
        return self.theta[np.unique(self.simulation, return_index=True)[1]]

    @functools.cached_property
    def zero_pixels(self):
        """Number of pixels that are exactly zero; log10 maps need a `ZeroFloor` first."""
        return count_zeros(self.maps)

    @property
    def floored_pixels(self):
        """Number of pixels that were zero and got a floor."""
        return int(self.floored_by_map.sum())

    def outside_prior(self):
        """Which maps have parameters outside their prior, bool `[N]`."""
        return self.parameters.outside(self.theta)

    def select(self, map_indices):
        """The maps with these indices (or under this bool mask), in this order."""
        index = np.asarray(map_indices)
        if index.ndim != 1 or not len(index) or index.dtype.kind not in "iub":
            raise InputError(f"map_indices must be one or more integers or a mask [N]. Received: {map_indices!r:.80}.")
        if index.dtype.kind == "b" and (len(index) != self.num_maps or not index.any()):
            raise InputError(
                f"A mask must choose among all {self.num_maps} maps. Received: {index.sum()} of {len(index)}."
            )
        if index.dtype.kind != "b" and not (-self.num_maps <= index.min() and index.max() < self.num_maps):
            raise InputError(f"map_indices must lie below {self.num_maps}. Received: {index.min()} to {index.max()}.")
        return self._changed(
            maps=self._select_maps(index),
            theta=self.theta[index],
            simulation=self.simulation[index],
            other_parameters={name: read_only(column[index]) for name, column in self.other_parameters.items()},
            floored_by_map=self.floored_by_map[index],
        )

    def _select_maps(self, index):
        if self.maps.nbytes <= IN_MEMORY_BYTES or not is_mapped(self.maps):
            return self.maps[index]
        rows = np.arange(self.num_maps)[index]
        return self.maps.select(rows) if isinstance(self.maps, MappedRows) else MappedRows(self.maps, rows)

    def select_simulations(self, simulations):
        """All maps of these simulations, in the order of this dataset."""
        missing = np.setdiff1d(simulations, self.simulation_indices)
        if len(missing):
            raise InputError(
                f"Every simulation must be one of the {self.num_simulations} of this dataset. Received: "
                f"{len(missing)} others, the first is {missing[0]}."
            )
        return self.select(np.flatnonzero(np.isin(self.simulation, simulations)))

    def split_by_simulation(self, fractions=(0.7, 0.1, 0.2), seed=0):
        """Splits into datasets (train, validation, test) that share no simulation, each spread over the first two parameters.

        Args:
            fractions, seed: Share of the simulations of each dataset (they sum to one), and the seed.

        Raises:
            InputError: If there are fewer than 10 simulations, or a subset would be empty.
        """
        check_splittable(self.num_simulations)
        rows = split_simulations(self.theta_by_simulation, fractions, seed)
        return [self.select_simulations(self.simulation_indices[subset]) for subset in rows]

    @functools.cached_property
    def _hashes(self):
        return tuple(map_hash(hi_map) for _, chunk in map_chunks(self.maps) for hi_map in chunk)

    def map_hashes(self):
        """The content of each map as a hex string, see `map_hash`."""
        return list(self._hashes)

    def content_hash(self):
        """One hex string for all maps and parameters in their order; file names and metadata do not count."""
        digest = hashlib.blake2b("".join(self.map_hashes()).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.theta, dtype="<f8").tobytes())
        return digest.hexdigest()

    def with_parameters(self, parameters):
        """This dataset with some of its parameters alone, those of a `ParameterSpace`."""
        columns = list(map(self.parameters.names.index, parameters.names))
        return self._changed(theta=self.theta[:, columns], parameters=parameters)

    def with_floored_maps(self, maps, *, zero_floor, floored_by_map):
        """This dataset with positive maps in place of its own. `ZeroFloor.apply` calls it."""
        maps = as_float32_maps(maps, "maps")
        check_pixels(maps, "maps")
        return self._changed(maps=maps, zero_floor=float(zero_floor), floored_by_map=floored_by_map)

    def to_tf(self, batch_size=64, **options):
        """Batches `(theta, maps)` for training; the options are those of `higlow_tf.data.pipeline.to_tf`."""
        from higlow_tf.data import pipeline

        return pipeline.to_tf(self, batch_size, **options)

    def to_tf_evaluation(self, batch_size=64, **options):
        """Batches `(theta, maps, sample_weight)` of equal size, see `higlow_tf.data.pipeline.to_tf_evaluation`."""
        from higlow_tf.data import pipeline

        return pipeline.to_tf_evaluation(self, batch_size, **options)

    def _changed(self, **changes):
        """A copy with other arrays that are known to be right. Nothing is checked twice, and no warning comes twice."""
        changed = copy.copy(self)
        for name in ("simulation_indices", "zero_pixels", "_hashes"):
            changed.__dict__.pop(name, None)
        changed._set(**{k: read_only(v) if isinstance(v, np.ndarray) else v for k, v in changes.items()})
        return changed

    def _set(self, **fields):
        for name, value in fields.items():
            object.__setattr__(self, name, value)
