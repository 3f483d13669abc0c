"""Parameters as a model card names them: a mapping with name, label, low, high and the prior in words."""

from higlow_tf.data.parameters import ParameterSpace, ParameterSpec

__all__ = ["card_entries", "parameters_of_card"]

_PRIORS = {"linear": "uniform", "log": "log-uniform"}
_TRANSFORMS = {prior: transform for transform, prior in _PRIORS.items()}


def card_entries(specs):
    """`ParameterSpec`s as JSON-compatible mappings."""
    return [
        {"name": spec.name, "label": spec.label, "low": spec.low, "high": spec.high, "prior": _PRIORS[spec.transform]}
        for spec in specs
    ]


def parameters_of_card(entries):
    """The inverse of `card_entries`, a `ParameterSpace`.

    Raises:
        KeyError, TypeError: If the entries are not such mappings.
        InputError: If their values are not those of parameters.
    """
    return ParameterSpace(
        tuple(
            ParameterSpec(entry["name"], entry["label"], entry["low"], entry["high"], _TRANSFORMS[entry["prior"]])
            for entry in entries
        )
    )
