"""What a job must know of a SavedModel before anything loads it: its card and its hash."""

import hashlib
from dataclasses import dataclass

from higlow_tf.data.card_parameters import parameters_of_card
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.gallery import find_version
from higlow_tf.text_files import read_json

__all__ = ["ServedModel", "read_served_model"]

_GRAPH_FILE, _VARIABLES = "saved_model.pb", "variables"
_CARD_FILE = "assets.extra/model_card.json"
_CARD_FORMAT_VERSION = 1
_HASH_BYTES = 16
# Exports have a grid of their own since they have this output.
_NEW_OUTPUT = "typicality"
_MOST_PARAMETERS_OF_OWN_GRID = 3


@dataclass(frozen=True)
class ServedModel:
    """An exported model, as its card describes it.

    Attributes:
        path: Its folder, absolute.
        name: Name under which it is served.
        content_hash: BLAKE2b (128 bits, hexadecimal) of the graph and the weights.
        parameters: `ParameterSpace`: columns of theta, and their prior.
        map_shape: (H, W), or (H, W, C).
        tempering: Factor of the log-likelihood in its posterior.
        has_own_grid: Whether its posterior has a grid of its own, for requests without points.
        log_prob_units: What its log-densities are, in words.
    """

    path: str
    name: str
    content_hash: str
    parameters: ParameterSpace
    map_shape: tuple
    tempering: float
    has_own_grid: bool
    log_prob_units: str = "nats of the log10 map, summed over its pixels"


def read_served_model(path):
    """Reads the card of an exported model and hashes its files. TensorFlow is not needed.

    Args:
        path: Folder of one version: saved_models/NAME/1; or that of a model, or its name, for the newest version.

    Returns:
        `ServedModel`.

    Raises:
        InputError: If there is no SavedModel, or no card of `higlow export` in it.
    """
    path = find_version(path).resolve()
    if not (path / _GRAPH_FILE).is_file():
        raise InputError(f"{path}: expected a folder of higlow export with {_GRAPH_FILE}. Received: none.")
    card_path = path / _CARD_FILE
    expected = "the model card of higlow export"
    card = read_json(card_path, expected)
    try:
        version = card["format_version"]
        if not isinstance(version, int) or version > _CARD_FORMAT_VERSION:
            raise InputError(
                f"{card_path}: expected format version {_CARD_FORMAT_VERSION} or older. Received: {version!r}."
            )
        size, channels = int(card["map_size"]), int(card["num_channels"])
        return ServedModel(
            path=str(path),
            name=str(card["name"]),
            content_hash=_hash_of_files(path),
            parameters=parameters_of_card(card["parameters"]),
            map_shape=(size, size) if channels == 1 else (size, size, channels),
            tempering=float(card["calibration"]["tempering"]),
            has_own_grid=len(card["parameters"]) <= _MOST_PARAMETERS_OF_OWN_GRID
            and _NEW_OUTPUT in card["signatures"]["posterior"]["outputs"],
            log_prob_units=str(card["units"]["log_prob"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{card_path}: expected {expected}. Received: {type(error).__name__}: {error}.") from None


def _hash_of_files(path):
    """The graph and the weights, with their names; cards and warm-up requests change no answer."""
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    try:
        for file in (path / _GRAPH_FILE, *sorted((path / _VARIABLES).iterdir())):
            digest.update(f"{file.name} {file.stat().st_size}\n".encode())
            with file.open("rb") as stream:
                while block := stream.read(2**20):
                    digest.update(block)
    except OSError as error:
        raise InputError(f"{path}: expected a readable SavedModel. Received: {error}.") from None
    return digest.hexdigest()
