"""How much a soak does of each part."""

from dataclasses import dataclass

__all__ = ["FULL", "SHORT", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """Numbers of a soak.

    Attributes:
        kills: Command -> number of kills.
        requests: Malformed requests to each signature.
        requests_a_row: Of these, how many make one row of the record.
        damaged_files: Damaged copies of each kind of file.
        damaged_kinds: Names of the kinds, or None for all.
        disks: Full disks for each command.
        disk_commands: Names of the commands, or None for all.
        writers: Command -> how many times a second writer comes.
    """

    kills: dict
    requests: int
    requests_a_row: int
    damaged_files: int
    damaged_kinds: tuple | None
    disks: int
    disk_commands: tuple | None
    writers: dict


FULL = Sizes(
    kills={"train": 16, "infer": 11, "calibrate": 11, "simulate mock": 8, "simulate lognormal": 4, "batch": 8},
    requests=1000,
    requests_a_row=100,
    damaged_files=200,
    damaged_kinds=None,
    disks=20,
    disk_commands=None,
    writers={"train": 3, "calibrate": 3, "simulate mock": 3},
)
SHORT = Sizes(
    kills={"simulate mock": 1},
    requests=30,
    requests_a_row=30,
    damaged_files=3,
    damaged_kinds=("split.json", "format_version", "params.txt", "model.keras"),
    disks=1,
    disk_commands=("simulate lognormal", "simulate mock"),
    writers={"simulate mock": 1},
)
