"""What a run knows of its posteriors: the calibration and the reference of typical maps, as JSON beside the model."""

import json
from pathlib import Path

from higlow_tf.errors import InputError

__all__ = ["CALIBRATION_FILE", "TYPICALITY_FILE", "forget_posterior_records", "read_posterior_records"]

CALIBRATION_FILE, TYPICALITY_FILE = "calibration.json", "typicality.json"


def read_posterior_records(directory):
    """The pair (calibration, typicality) of a run or a saved model as dicts; None where there is none.

    Raises:
        InputError: If a file is damaged.
    """
    return tuple(_read(Path(directory) / name) for name in (CALIBRATION_FILE, TYPICALITY_FILE))


def forget_posterior_records(directory):
    """Removes both, where a new model takes the place of the one that they were fitted for."""
    for name in (CALIBRATION_FILE, TYPICALITY_FILE):
        (Path(directory) / name).unlink(missing_ok=True)


def _read(path):
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: expected a JSON file of `higlow calibrate`. Received: {error}.") from error
