"""split.json: what it holds, and how it is read and checked."""

import hashlib
import json
from typing import Annotated, Literal

import pydantic

from higlow_tf.data import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.text_files import Record, check_record, read_json

__all__ = ["SPLIT_FILE", "SUBSETS", "check_split", "check_split_hash", "read_split_file", "split_hash"]

SPLIT_FILE = "split.json"
SUBSETS = ("train", "validation", "test")
_EXPECTED = "the record of a run's training maps"

_Count = pydantic.NonNegativeInt
_Size = pydantic.PositiveInt
_Hashes = list[Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{16}$")]]
_LongHash = Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Subset = Literal[SUBSETS]
_Every = pydantic.Field(min_length=len(SUBSETS), max_length=len(SUBSETS))
_Name = str | None


class _Parameter(Record):
    name: str
    label: str
    low: float
    high: float
    transform: Literal["linear", "log"]


class _Floor(Record):
    floor: pydantic.PositiveFloat
    seed: _Count


class _Split(Record):
    """Older records lack the keys that have a default here."""

    format_version: Literal[1] = 1
    source: list[str]
    suite: _Name
    set: _Name = None
    field: str | list[_Name] | None = None
    redshift: pydantic.NonNegativeFloat | None
    units: str
    box_size_mpc_h: pydantic.PositiveFloat
    map_size: _Size | None = None
    num_channels: _Size = 1
    native_size: _Size | None = None
    slab_thickness_mpc_h: pydantic.PositiveFloat | None = None
    map_transform: Literal["log10", "identity"] = "log10"
    parameters: list[_Parameter]
    num_maps: _Size
    content_hash: _LongHash
    fractions: Annotated[list[pydantic.NonNegativeFloat], _Every]
    seed: _Count
    zero_floor: _Floor | None
    simulations: Annotated[dict[_Subset, list[int]], _Every]
    map_hashes: Annotated[dict[_Subset, _Hashes], _Every]
    zero_pixels: Annotated[dict[_Subset, _Count], _Every] | None = None
    simulation_hashes: Annotated[dict[_Subset, _Hashes], _Every] | None = None
    split_hash: _LongHash | None = None

    @pydantic.field_validator("parameters")
    @classmethod
    def _check_parameters(cls, parameters):
        ParameterSpace.from_config([spec.model_dump() for spec in parameters])
        return parameters

    @pydantic.model_validator(mode="after")
    def _check_counts(self):
        if self.zero_pixels is not None and not {"map_size", "num_channels"} <= self.model_fields_set:
            raise ValueError("a number of zeros without map_size and num_channels")
        simulations = [number for numbers in self.simulations.values() for number in numbers]
        if len(set(simulations)) != len(simulations):
            raise ValueError("a simulation in two places of the split")
        num_hashes = sum(map(len, self.map_hashes.values()))
        if num_hashes != self.num_maps:
            raise ValueError(f"{self.num_maps} maps with {num_hashes} hashes")
        hashes = self.map_hashes if self.simulation_hashes is None else self.simulation_hashes
        for name, numbers in self.simulations.items():
            few, many = len(numbers), len(hashes[name])
            if few > many or (self.simulation_hashes is not None and few != many):
                raise ValueError(f"{few} simulations in {name} with {many} hashes")
        return self


def read_split_file(path):
    """Reads what a run was trained on.

    Args:
        path: The file.

    Returns:
        The record as a dict, with the keys that the file has.

    Raises:
        InputError: If the file is missing or damaged, a key is missing, unknown or of another type, the counts contradict
            each other, or the split was changed after training.
    """
    record = read_json(path, _EXPECTED)
    check_split(record, path)
    return record


def check_split(record, path=SPLIT_FILE):
    """Refuses a record that could not be read back; errors as those of `read_split_file`, which name `path`."""
    check_record(_Split, record, path, _EXPECTED)
    check_split_hash(record, path)


def split_hash(record):
    """What a split is, so that a changed file is noticed: which maps of which content are in which subset."""
    content = {name: record[name] for name in ("content_hash", "simulations", "map_hashes", "zero_floor")}
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def check_split_hash(record, path=SPLIT_FILE):
    """Refuses a record whose split was changed after training; older ones have no hash, and pass.

    Raises:
        InputError: If the hash of the split is another than the one recorded.
    """
    found = split_hash(record)
    if record.get("split_hash", found) != found:
        raise InputError(
            f"{path}: expected the split that the run was trained with (hash {record['split_hash']}). "
            f"Received: a changed one (hash {found})."
        )
