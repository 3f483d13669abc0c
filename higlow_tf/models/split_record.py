"""Which simulations a run was trained on, by content, and which maps may test it."""

import numpy as np

from higlow_tf.data import ZeroFloor
from higlow_tf.errors import InputError

__all__ = ["make_split_record", "maps_for_testing", "subset_of"]

SUBSETS = ("train", "validation", "test")


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
        "redshift": data.redshift,
        "units": data.units,
        "box_size_mpc_h": data.box_size_mpc_h,
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
    return record


def subset_of(record, data, name):
    """The "train", "validation" or "test" maps of the file that a run was trained on, floored as in training.

    Raises:
        InputError: If the data are not those of the run (by content, not by name).
    """
    if data.content_hash() != record["content_hash"]:
        raise InputError(
            f"{_names(data)}: expected the maps and parameters that the run was trained on "
            f"(content {record['content_hash']}). Received: content {data.content_hash()}."
        )
    return _floored(record, data.select_simulations(record["simulations"][name]))


def maps_for_testing(record, data, *, allow_training_maps=False):
    """The maps of a file on which a run may be judged, and in words which they are.

    Of the file that was trained on: the stored test split. Of any other file: all maps, if none of them is a training or
    validation map.

    Args:
        record: Content of split.json.
        data: `HIMapDataset` as read.
        allow_training_maps: Whether to go on when maps were trained on; the label then says so.

    Returns:
        The pair (dataset, label).

    Raises:
        InputError: If maps were trained on and `allow_training_maps` is false.
    """
    if record is None:
        return data, "all maps (the model carries no record of its training maps)"
    if data.content_hash() == record["content_hash"]:
        subset = subset_of(record, data, "test")
        return subset, f"the {subset.num_simulations} test simulations of the file that was trained on"
    seen = set(record["map_hashes"]["train"]) | set(record["map_hashes"]["validation"])
    is_seen = np.array([map_hash in seen for map_hash in data.map_hashes()])
    data = _floored(record, data)
    if not is_seen.any():
        return data, f"all {data.num_simulations} simulations of another file"
    if not allow_training_maps:
        raise InputError(
            f"{_names(data)}: expected maps that the run was not trained on. Received: {int(is_seen.sum())} of "
            f"{data.num_maps} maps are training or validation maps, the first is map {int(np.argmax(is_seen))}."
        )
    return data, f"ON TRAINING MAPS: {int(is_seen.sum())} of {data.num_maps} maps were trained on"


def _floored(record, data):
    floor = record["zero_floor"]
    return data if floor is None else ZeroFloor.from_config(floor).apply(data)


def _names(data):
    return ", ".join(str(name) for name in data.source) or "the data"
