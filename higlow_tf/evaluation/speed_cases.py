"""What a benchmark measures: which presets, at which sizes, on how many threads."""

from dataclasses import asdict, dataclass, field

from higlow_tf.errors import InputError
from higlow_tf.models import preset as find_preset

__all__ = ["CASES", "TASKS", "SpeedCase", "find_cases"]

TASKS = ("train", "log_prob", "sample", "posterior")
"""A step of training, the density, new maps, and the posterior of one map on 1024 points."""


@dataclass(frozen=True)
class SpeedCase:
    """One model, and how it is run.

    Attributes:
        preset: Name of a preset.
        batch_size: Maps a call; of the posterior, points at once.
        threads: CPU cores and threads.
        changes: Arguments of the model that differ from the preset.

    Raises:
        InputError: If there is no such preset.

    Example:
        >>> SpeedCase("compact", 8, 1, {"map_size": 128}).title
        'compact, map_size=128, batch 8, 1 thread'
    """

    preset: str = "compact"
    batch_size: int = 64
    threads: int = 1
    changes: dict = field(default_factory=dict)

    def __post_init__(self):
        find_preset(self.preset)

    @property
    def title(self):
        """In words."""
        changes = [f"{name}={value}" for name, value in self.changes.items()]
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return ", ".join([self.preset, *changes, f"batch {self.batch_size}", threads])

    def to_dict(self):
        """As a dict that can be JSON."""
        return asdict(self)


def _sizes(preset):
    return [SpeedCase(preset, batch, threads) for threads in (1, 2) for batch in (1, 8, 64)]


def _series(name, values):
    return [SpeedCase("compact", 8, 1, {name: value}) for value in values]


CASES = {
    "paper": _sizes("paper"),
    "compact": _sizes("compact"),
    "map-size": _series("map_size", (32, 64, 128, 256)),
    "depth": _series("num_steps_per_level", (4, 8, 16, 32)),
    "width": _series("width", (16, 32, 64, 128)),
}
"""The rows of the whole table, by name."""


def find_cases(rows):
    """Cases by the names of `CASES`, or of single ones as PRESET:BATCH:THREADS; "all" for all.

    Args:
        rows: Names with commas between them.

    Returns:
        List of `SpeedCase`, each once.

    Raises:
        InputError: If there are no such rows.

    Example:
        >>> [case.title for case in find_cases("paper:64:2")]
        ['paper, batch 64, 2 threads']
    """
    cases = []
    for name in rows.split(","):
        name = name.strip()
        found = [case for group in CASES.values() for case in group] if name == "all" else CASES.get(name)
        cases += [_single(name)] if found is None else found
    return [case for number, case in enumerate(cases) if case not in cases[:number]]


def _single(name):
    words = name.split(":")
    if len(words) != 3 or not all(word.isdecimal() and int(word) > 0 for word in words[1:]):
        raise InputError(f"--rows: expected all, {', '.join(CASES)} or PRESET:BATCH:THREADS. Received: {name!r}.")
    return SpeedCase(words[0], int(words[1]), int(words[2]))
