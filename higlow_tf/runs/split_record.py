"""Which simulations a run was trained on, by content, and which maps may test it."""

import hashlib

import numpy as np

from higlow_tf.data import CAMELS_PARAMETERS, ZeroFloor
from higlow_tf.errors import InputError
from higlow_tf.models.split_file import SUBSETS, check_split_hash, split_hash

__all__ = ["ON_TRAINING_MAPS", "floored", "make_split_record", "maps_for_testing", "seen_maps", "subset_of"]

# The label of numbers that say nothing about new maps begins with this.
ON_TRAINING_MAPS = "ON TRAINING MAPS"
# All simulations of these sets have the same parameters. These cannot tell which simulation it is.
_SETS_OF_ONE_POINT = ("CV", "BE")


def make_split_record(data, subsets, *, fractions, seed, zero_floor):
    """The content of split.json.

    Args:
        data: The whole `HIMapDataset`, as read (before a floor).
        subsets: The three datasets of the split, as read.
        fractions: Shares of the split.
        seed: Seed of the split.
        zero_floor: `ZeroFloor` fitted on the training maps, or None if no map of the file has a zero.

    Returns:
        JSON-compatible dict.
    """
    hashes = np.array(data.map_hashes())
    record = {
        "format_version": 1,
        "source": list(data.source),
        "suite": data.suite,
        "set": data.set_name,
        "field": list(data.field) if isinstance(data.field, tuple) else data.field,
        "redshift": data.redshift,
        "units": data.units,
        "box_size_mpc_h": data.box_size_mpc_h,
        "map_size": data.map_size,
        "num_channels": data.num_channels,
        "native_size": data.native_size,
        "slab_thickness_mpc_h": data.slab_thickness_mpc_h,
        "map_transform": data.map_transform,
        "parameters": data.parameters.to_config(),
        "num_maps": data.num_maps,
        "content_hash": data.content_hash(),
        "fractions": list(fractions),
        "seed": seed,
        "zero_floor": None if zero_floor is None else zero_floor.to_config(),
        "simulations": {name: s.simulation_indices.tolist() for name, s in zip(SUBSETS, subsets, strict=True)},
    }
    record["map_hashes"] = {
        name: hashes[np.isin(data.simulation, s.simulation_indices)].tolist()
        for name, s in zip(SUBSETS, subsets, strict=True)
    }
    record["zero_pixels"] = {name: s.zero_pixels for name, s in zip(SUBSETS, subsets, strict=True)}
    record["simulation_hashes"] = {name: _simulation_hashes(s) for name, s in zip(SUBSETS, subsets, strict=True)}
    return {**record, "split_hash": split_hash(record)}


def subset_of(record, data, name):
    """The "train", "validation" or "test" maps of the file that a run was trained on, floored as in training.

    Raises:
        InputError: If the data are not those of the run (by content, not by name), or the record was changed.
    """
    check_split_hash(record)
    if data.content_hash() != record["content_hash"]:
        raise InputError(
            f"{_names(data)}: expected the maps and parameters that the run was trained on "
            f"(content {record['content_hash']}). Received: content {data.content_hash()}."
        )
    hashes = np.array(data.map_hashes())
    is_chosen = np.isin(data.simulation, record["simulations"][name])
    if hashes[is_chosen].tolist() != record["map_hashes"][name]:
        # Another form of file numbers the same simulations in another way: the pixels decide.
        is_chosen = np.isin(hashes, record["map_hashes"][name])
    return floored(record, data.select(is_chosen))


def seen_maps(record, data):
    """Which maps of a dataset a run has learned from, bool `[N]`.

    A map counts if its pixels are those of a training or validation map, whatever its name and place are. It also counts if
    it belongs to such a simulation, although its pixels are others (another slab, redshift or pixel size). Then the files
    name the same suite and set, and its parameters are the same, to five digits.
    """
    hashes = {h for name in ("train", "validation") for h in record["map_hashes"][name]}
    is_seen = np.array([map_hash in hashes for map_hash in data.map_hashes()])
    suite, set_name = record.get("suite"), record.get("set")
    if None in (suite, set_name, data.suite, data.set_name) or set_name in _SETS_OF_ONE_POINT:
        return is_seen
    if (suite.lower(), set_name) != (data.suite.lower(), data.set_name):
        return is_seen
    known = _known_simulations(record, "train", "validation")
    simulations = np.array([h in known for h in _simulation_hashes(data)])
    return is_seen | simulations[np.searchsorted(data.simulation_indices, data.simulation)]


def maps_for_testing(record, data, *, allow_training_maps=False):
    """The maps of a file on which a run may be judged, and in words which they are.

    If it is the file that the run was trained on, these are the maps of the stored test split. If it is any other file, these
    are all maps, and the run must have learned from none of them; see `seen_maps`.

    Args:
        record: Content of split.json.
        data: `HIMapDataset` as read.
        allow_training_maps: Whether to continue if maps were trained on. The label then begins with `ON_TRAINING_MAPS`.

    Returns:
        The pair (dataset, label).

    Raises:
        InputError: If maps were trained on and `allow_training_maps` is false, or the record was changed.
    """
    if record is None:
        return data, "all maps (the model carries no record of its training maps)"
    check_split_hash(record)
    if data.content_hash() == record["content_hash"]:
        subset = subset_of(record, data, "test")
        return subset, f"the {subset.num_simulations} test simulations of the file that was trained on"
    is_seen = seen_maps(record, data)
    is_test = _is_test_subset(record, data)
    data = floored(record, data)
    if is_test:
        return data, f"{data.num_simulations} test simulations of the file that was trained on"
    if not is_seen.any():
        return data, f"all {data.num_simulations} simulations of another file"
    if not allow_training_maps:
        raise InputError(
            f"{_names(data)}: expected maps that the run was not trained on. Received: {int(is_seen.sum())} of "
            f"{data.num_maps} maps are training or validation maps, the first is map {int(np.argmax(is_seen))}."
        )
    return data, f"{ON_TRAINING_MAPS}: {int(is_seen.sum())} of {data.num_maps} maps were trained on"


def _is_test_subset(record, data):
    """Whether all maps are test maps of the run, by their pixels. Where a floor has changed these, the simulations decide."""
    if set(data.map_hashes()) <= set(record["map_hashes"]["test"]):
        return True
    is_same_suite = (record.get("suite"), record.get("set"), record.get("redshift")) == (
        data.suite,
        data.set_name,
        data.redshift,
    )
    if not data.floored_pixels or not is_same_suite or data.set_name in _SETS_OF_ONE_POINT:
        return False
    found = set(_simulation_hashes(data))
    return found <= _known_simulations(record, "test") and not found & _known_simulations(record, "train", "validation")


def _known_simulations(record, *subsets):
    """Hashes of the simulations of subsets; records of older versions have none."""
    return {h for name in subsets for h in record.get("simulation_hashes", {}).get(name, ())}


def _simulation_hashes(data):
    """The parameters of each simulation, in the order of `simulation_indices`, as hex strings.

    These are the parameters of the model and of the CAMELS registry, to five digits. Two tables of the same simulations have
    these in common.
    """
    columns = dict(zip(data.parameters.names, data.theta.T, strict=True))
    columns |= {name: column for name, column in data.other_parameters.items() if name in CAMELS_PARAMETERS}
    first = np.unique(data.simulation, return_index=True)[1]
    rows = [" ".join(f"{name}={columns[name][i]:.5g}" for name in sorted(columns)) for i in first]
    return [hashlib.blake2b(row.encode(), digest_size=8).hexdigest() for row in rows]


def floored(record, data):
    """The dataset with the floor for zeros that the run was trained with."""
    floor = record["zero_floor"]
    return data if floor is None else ZeroFloor.from_config(floor).apply(data)


def _names(data):
    return ", ".join(map(str, data.source)) or "the data"
