"""What a run that is continued must have in common with its checkpoint."""

import hashlib
import json
import warnings

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.models.split_file import SPLIT_FILE
from higlow_tf.runs.config import parse_run_config
from higlow_tf.versions import versions

__all__ = ["CHANGEABLE", "changed_key", "made_with", "open_to_continue"]

CHANGEABLE = ("training.epochs", "training.max_minutes", "data.maps", "data.params")
"""What may change when a run is continued: its length, and where its files lie now (they are known by content)."""


def made_with(config, record):
    """What a checkpoint says of the run that made it: configuration, split and versions, as a JSON-compatible dict.

    Args:
        config: `RunConfig`.
        record: Content of split.json.
    """
    return {"config": config.model_dump(mode="json"), "split": _record_hash(record), "versions": versions()}


def open_to_continue(run):
    """Opens a run at the checkpoint that it can be continued from: the last, or the one before if the last is damaged.

    Args:
        run: `RunDirectory`.

    Returns:
        (config, split record, `Checkpoint`).

    Raises:
        InputError: If this is not a run, it has no whole checkpoint, or its configuration or its split is not the one that the
            checkpoint was made with.

    Warns:
        InputWarning: If the last checkpoint cannot be used, or other versions made it.
    """
    config, record = run.open()
    checkpoint = run.checkpoints.read()
    state = checkpoint.state
    if checkpoint.problem:
        warnings.warn(
            f"{run.checkpoints.last}: cannot be used ({checkpoint.problem}). The run continues from {checkpoint.path}, "
            f"after epoch {state['epoch']}.",
            InputWarning,
            stacklevel=2,
        )
    # Checkpoints of older versions do not say what made them.
    if "config" in state:
        _check_made_with(run, config, record, checkpoint)
    return config, record, checkpoint


def changed_key(old, new):
    """The first key in which two configurations differ and a continued run must not, as (key, old value, new value), or None.

    Args:
        old, new: `RunConfig`s.
    """
    before, after = (dict(_leaves(config.model_dump(mode="json"))) for config in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if name not in CHANGEABLE and before.get(name) != after.get(name):
            return name, before.get(name), after.get(name)
    return None


def _check_made_with(run, config, record, checkpoint):
    state, path = checkpoint.state, checkpoint.path
    changed = changed_key(parse_run_config(state["config"], path), config)
    if changed is not None:
        name, old, new = changed
        raise InputError(
            f"{run.path / 'config.yaml'}: expected {name}: {old}, with which {path} was made. Received: {name}: {new}."
        )
    if state["split"] != _record_hash(record):
        raise InputError(
            f"{run.path / SPLIT_FILE}: expected the record with which {path} was made. Received: another or a changed one."
        )
    before, now = state["versions"], versions()
    others = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    if others:
        changes = ", ".join(f"{name} {before.get(name, 'none')} (now {now.get(name, 'none')})" for name in others)
        warnings.warn(
            f"{path}: was made with {changes}. The continued run need not equal an uninterrupted one bit by bit.",
            InputWarning,
            stacklevel=3,
        )


def _record_hash(record):
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _leaves(content, prefix=""):
    """Values of a nested dict by their path with dots."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
