"""The model card: what a model was made from, how good it is, and what it must not be used for."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import PurePath

from higlow_tf.data.card_parameters import card_entries
from higlow_tf.errors import InputError
from higlow_tf.map_transforms import name_of_modelled_map
from higlow_tf.versions import versions

__all__ = ["CARD_FILE", "CARD_FORMAT_VERSION", "make_model_card"]

CARD_FILE = "assets.extra/model_card.json"
CARD_FORMAT_VERSION = 1

_NOT_RECORDED = "not recorded"
_WHICH_MAPS = {"log10": "maps of neutral hydrogen", "identity": "maps"}


def make_model_card(model, name, *, nuisance=(), signatures, calibration, metrics=None):
    """Collects the card of a model.

    Args:
        model: `ConditionalGlow`, `HIFlow` or `TRENF`. Its attribute `split` says what it was trained on, or is None.
        name: Name under which the model is served.
        nuisance: Names of the parameters that are drawn or integrated over, and not in the signatures' theta.
        signatures: Documentation of the signatures, JSON-compatible.
        calibration: Dict with tempering, widening, num_symmetries and nuisance_draws; num_flows, too, for an ensemble.
        metrics: Name -> dict or dataclass with value, error, floor and n_simulations; None if it was not evaluated.

    Returns:
        The card as JSON text.

    Raises:
        InputError: If the metrics are not such a mapping, or not JSON (NaN is not JSON).
    """
    split = model.split
    trainable = sum(int(variable.value.shape.num_elements()) for variable in model.trainable_variables)
    card = {
        "format_version": CARD_FORMAT_VERSION,
        "name": name,
        "summary": f"{model.title}: density and emulator of {_WHICH_MAPS[model.map_transform]} given simulation parameters.",
        "data": _data(split),
        "split": _split(split),
        "parameters": card_entries(spec for spec in model.parameters if spec.name not in nuisance),
        "nuisance": card_entries(spec for spec in model.parameters if spec.name in nuisance),
        "units": {
            "hi_map": split["units"] if split else _NOT_RECORDED,
            "theta": "physical values, as in the parameter tables of the simulations",
            "log_prob": f"nats of the {name_of_modelled_map(model.map_transform)}, summed over its pixels",
            "temperature": "factor of the standard deviation of the latents",
        },
        "map_size": model.map_size,
        "num_channels": model.num_channels,
        "signatures": signatures,
        "calibration": calibration,
        "metrics": _metrics(metrics),
        "num_trainable_weights": trainable,
        "model_config": model.get_config(),
        "versions": versions(),
        "must_not_be_used_for": _limits(model, split),
    }
    try:
        return json.dumps(card, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(f"metrics: expected finite numbers, null and text only. Received: {error}.") from error


def _data(split):
    if split is None:
        return None
    # Names only: nobody else needs to know where the files were on the machine that trained.
    record = {"source": [PurePath(str(name)).name for name in split["source"]]}
    return record | {
        key: split[key] for key in ("content_hash", "suite", "redshift", "box_size_mpc_h", "num_maps", "zero_floor")
    }


def _split(split):
    if split is None:
        return None
    return {
        "by": "simulation",
        "seed": split["seed"],
        "fractions": split["fractions"],
        "num_simulations": {name: len(indices) for name, indices in split["simulations"].items()},
        "num_maps": {name: len(hashes) for name, hashes in split["map_hashes"].items()},
    }


def _metrics(metrics):
    if metrics is None:
        return None
    if not isinstance(metrics, Mapping):
        raise InputError(f"metrics: expected a mapping of names to metrics. Received: {type(metrics).__name__}.")
    return {name: asdict(metric) if is_dataclass(metric) else metric for name, metric in metrics.items()}


def _limits(model, split):
    prior = ", ".join(f"{spec.name} in [{spec.low:g}, {spec.high:g}]" for spec in model.parameters)
    suite = split["suite"] if split and split["suite"] else _NOT_RECORDED
    redshift = split["redshift"] if split and split["redshift"] is not None else _NOT_RECORDED
    box = f"{split['box_size_mpc_h']:g} Mpc/h" if split else _NOT_RECORDED
    is_log10 = model.map_transform == "log10"
    return [
        f"Parameters outside the prior ({prior}): the model extrapolates there; the output inside_prior tells.",
        f"Another redshift than that of the training maps ({redshift}).",
        f"Another box size or pixel size than those of the training maps (box: {box}; {model.map_size} pixels a side).",
        f"Other physics or another suite than that of the training maps ({suite}), without a test on it.",
        "Maps with noise, beam, foregrounds or a mask, unless the training maps had them.",
        *(
            ["Maps with zeros that were not floored as the training maps were: such a map gives NaN."]
            if is_log10
            else []
        ),
        "Judging the model on its own training maps.",
    ]
