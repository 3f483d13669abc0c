"""Checkpoints of a run: all that a bit-exact continuation needs, with a checksum. The last two are kept."""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pydantic

from higlow_tf.errors import InputError
from higlow_tf.files import rename_own, whole_path

__all__ = ["Checkpoint", "Checkpoints", "read_checkpoint"]

_LAST, _PREVIOUS = "last.npz", "previous.npz"
_EXPECTED = "a whole checkpoint"
_CHECKSUM, _STATE, _BEST_MODEL = "sha256", "state", "best_model"


class _State(pydantic.BaseModel):
    """Checkpoints of older versions lack the keys that have a default here, and have no checksum."""

    model_config = pydantic.ConfigDict(strict=True)

    epoch: pydantic.PositiveInt
    elapsed_seconds: float
    best: float | None
    best_epoch: pydantic.NonNegativeInt
    history: list[dict[str, float | int]] = pydantic.Field(min_length=1)
    config: dict | None = None
    split: str | None = None
    versions: dict[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What was read from a checkpoint.

    Attributes:
        path: The file.
        weights, optimizer, average: Arrays in the order of the variables.
        state: Dict: epoch, elapsed_seconds, best, best_epoch, history (one dict an epoch); config, split and versions of what
            made it, which those of older versions lack.
        best_model: Bytes of model.keras at the best epoch so far; None if there was none yet, or in those of older versions.
        problem: Why a later checkpoint cannot be used; empty if this is the last one.
    """

    path: Path
    weights: list
    optimizer: list
    average: list
    state: dict
    best_model: bytes | None
    problem: str = ""

    def assign(self, model, average):
        """Sets a compiled model and its average to this checkpoint, or leaves them as they are.

        Args:
            model: The compiled model; its optimizer is built.
            average: `WeightAverage` of this model.

        Raises:
            InputError: If the checkpoint is that of another model.
        """
        variables = [*model.weights, *model.optimizer.variables]
        values = [*self.weights, *self.optimizer]
        found, expected = ([a.shape for a in [*values, *self.average]], _shapes([*variables, *average.get_state()]))
        if found != expected:
            raise InputError(
                f"{self.path}: expected a checkpoint of this model, {len(expected)} arrays of its shapes. "
                f"Received: {len(found)} arrays, or other shapes."
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        average.set_state(self.average)


class Checkpoints:
    """The last checkpoint of a run and the one before; at least one of them is whole at every moment.

    Args:
        folder: The folder that holds them.

    Attributes:
        last, previous: Paths of the two.
    """

    def __init__(self, folder):
        self.last, self.previous = Path(folder) / _LAST, Path(folder) / _PREVIOUS

    def exist(self):
        """Whether there is a checkpoint, whole or damaged."""
        return self.last.exists() or self.previous.exists()

    def write(self, model, average, state, best_model):
        """Writes a new last checkpoint; the one that was the last is then the one before.

        Args:
            model: The compiled model.
            average: `WeightAverage` of this model.
            state: JSON-compatible dict; see `Checkpoint`.
            best_model: Bytes of model.keras, or None.
        """
        arrays = {
            **_numbered("weight", [np.array(v) for v in model.weights]),
            **_numbered("optimizer", [np.array(v) for v in model.optimizer.variables]),
            **_numbered("average", average.get_state()),
            _STATE: np.array(json.dumps(state)),
        }
        if best_model is not None:
            arrays[_BEST_MODEL] = np.frombuffer(best_model, np.uint8)
        with whole_path(self.last) as part:
            with open(part, "wb") as file:
                np.savez(file, **arrays, **{_CHECKSUM: np.array(_checksum(arrays))})
            if self.last.exists():
                rename_own(self.last, self.previous)

    def read(self):
        """The last checkpoint, or the one before if the last is missing or damaged; nothing is written.

        Raises:
            InputError: If there is none, or both are damaged.
        """
        if not self.exist():
            raise InputError(
                f"{self.last}: expected a checkpoint, made by the first epoch; to start again, give the same command with "
                "--overwrite. Received: no such file."
            )
        problems = []
        for path in (self.last, self.previous):
            try:
                return dataclasses.replace(read_checkpoint(path), problem="".join(problems))
            except InputError as error:
                problems.append(str(error).partition("Received: ")[2].removesuffix("."))
        raise InputError(
            f"{self.last}: expected {_EXPECTED}, here or in {self.previous}; to start again, give the same command with "
            f"--overwrite. Received: {problems[0]}; and in {self.previous.name}: {problems[1]}."
        )

    def continue_from(self, checkpoint):
        """Makes what was read the last one; a damaged one that has this name is replaced."""
        if checkpoint.path != self.last:
            rename_own(checkpoint.path, self.last)


def read_checkpoint(path):
    """Reads a checkpoint and compares its checksum; those of older versions have none.

    Args:
        path: The file.

    Returns:
        `Checkpoint`.

    Raises:
        InputError: If the file is missing or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected {_EXPECTED}. Received: no such file.")
    try:
        arrays = _read_arrays(path)
        state = json.loads(arrays[_STATE].item())
        _State.model_validate(state)
        checksum = arrays.pop(_CHECKSUM, None)
        # Since there are checksums, the state has a configuration.
        if checksum is not None or "config" in state:
            _compare_checksum(checksum, arrays)
    except Exception as error:  # whatever zipfile, NumPy and JSON make of bytes that were changed
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].removesuffix(".")
        raise InputError(f"{path}: expected {_EXPECTED}. Received: {reason[:200]}.") from error
    best_model = arrays[_BEST_MODEL].tobytes() if _BEST_MODEL in arrays else None
    kinds = (_in_order(kind, arrays) for kind in ("weight", "optimizer", "average"))
    return Checkpoint(path, *kinds, state=state, best_model=best_model)


def _read_arrays(path):
    """All arrays by name, after the zip file's own checksums were compared and before anything that it declares is believed."""
    with zipfile.ZipFile(path) as file:
        if sum(info.file_size for info in file.infolist()) > path.stat().st_size:
            raise ValueError("more than the file can hold")
        damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"a damaged {damaged}")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _compare_checksum(checksum, arrays):
    found, expected = _checksum(arrays), "none" if checksum is None else checksum.item()
    if found != expected:
        raise ValueError(f"content with the checksum {found[:12]} instead of {expected[:12]}")


def _checksum(arrays):
    """SHA-256 of names, types, shapes and bytes."""
    checksum = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        checksum.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        checksum.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return checksum.hexdigest()


def _numbered(name, arrays):
    return {f"{name}_{index:04d}": array for index, array in enumerate(arrays)}


def _in_order(name, arrays):
    return [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}_")]


def _shapes(variables):
    return [tuple(np.shape(variable)) for variable in variables]
