"""What an export holds, and reading it. NumPy alone: whoever reads it has no TensorFlow.

- manifest.json: an `Export`, with shapes, expected values, counted operations
- state.npz: weights, optimizer state and metrics by name, before the first step
- TASK_BATCH.hlo.gz: a program as XLA takes it (a serialized HLO module), compressed
"""

import dataclasses
import gzip
import json
import zipfile
import zlib

import numpy as np

from higlow_tf.errors import InputError

__all__ = [
    "CHECK_BATCH",
    "CHECK_STEPS",
    "FORMAT_VERSION",
    "LEARNING_RATE",
    "MANIFEST",
    "STATE",
    "TASKS",
    "Export",
    "Program",
    "read_export",
    "read_program",
]

FORMAT_VERSION = 1
MANIFEST, STATE = "manifest.json", "state.npz"
TASKS = ("train", "log_prob")
"""A whole training step: loss, gradients, clipping and Adam; and the density."""

CHECK_BATCH = 2
"""Maps of the batch for which TensorFlow's values are stored."""

CHECK_STEPS = 3
"""Training steps of it."""

LEARNING_RATE = 1e-5
"""Of Adam. At 1e-3, without the warm-up of a real training, the second loss of `higlow` is 1e12, and later steps are skipped."""


@dataclasses.dataclass(frozen=True)
class Program:
    """One program: `(theta, maps, *state) -> (result, *new values of some of the state)`.

    Attributes:
        task: One of `TASKS`.
        batch_size: Maps of its batch.
        file: Name of its file.
        inputs: `[shape, dtype]` of each input.
        outputs: `[shape, dtype]` of each output.
        state: Names, in `STATE`, of the inputs after theta and maps.
        updates: Names of the state that the outputs after the first replace, in their order.
        operations: Floating-point operations of matrix products that any program needs.
        moved_bytes: Bytes of maps and weights that any program moves.
    """

    task: str
    batch_size: int
    file: str
    inputs: list
    outputs: list
    state: list
    updates: list
    operations: int
    moved_bytes: int

    @property
    def title(self):
        """In words."""
        return f"{self.task}, batch {self.batch_size}"


@dataclasses.dataclass(frozen=True)
class Export:
    """What is in the manifest.

    Attributes:
        preset: Name of the preset.
        config: Configuration of the model.
        versions: Versions of TensorFlow, Keras and Python.
        weights: Name in `STATE` of each weight, by the name that `TorchGlow` gives it.
        programs: List of `Program`.
        expected: Of the batch of `CHECK_BATCH` maps: "log_prob", its values; "train", the running mean of the loss after each
            of `CHECK_STEPS` steps; "moved", the norm of the change of each updated state after them, by name.
    """

    preset: str
    config: dict
    versions: dict
    weights: dict
    programs: list
    expected: dict

    def to_json(self):
        """A dict that JSON can hold."""
        return {"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}

    def find(self, task, batch_size):
        """The program of a task and batch."""
        return next(one for one in self.programs if (one.task, one.batch_size) == (task, batch_size))


def read_export(folder):
    """Reads the manifest, and the state by name.

    Returns:
        The pair (`Export`, dict of arrays).

    Raises:
        InputError: If the folder is not one that `export` wrote, or is of another version.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("format_version")
        if version != FORMAT_VERSION:
            raise InputError(f"{path}: expected format version {FORMAT_VERSION}. Received: {version!r}.")
        export = Export(**content | {"programs": [Program(**one) for one in content["programs"]]})
        with np.load(folder / STATE, allow_pickle=False) as file:
            state = dict(file)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder}: expected a folder that export wrote. Received: {_first_line(error)}.") from error
    missing = sorted({name for one in export.programs for name in one.state} - set(state))
    if missing:
        raise InputError(f"{folder / STATE}: expected the state of all programs. Received: none for {missing[0]}.")
    return export, state


def read_program(folder, program):
    """The serialized HLO module of a program, bytes.

    Raises:
        InputError: If the file is missing or damaged.
    """
    path = folder / program.file
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected a compressed program. Received: {_first_line(error)}.") from error


def _first_line(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": .")
