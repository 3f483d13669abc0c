"""The methods of `infer` by name, with their options."""

from dataclasses import fields

from higlow_tf.data.parameters import nearest_name
from higlow_tf.errors import InputError
from higlow_tf.inference.grid import GridOptions, grid_group
from higlow_tf.inference.importance import ImportanceOptions, importance_group

__all__ = ["METHODS", "make_sampler", "method_options"]

METHODS = ("grid", "importance", "nuts")


def method_options(method, options):
    """The options of a method as an object.

    Args:
        method: One of `METHODS`.
        options: Dict of options by name.

    Raises:
        InputError: If the method or an option is unknown, or a value is outside its range.
    """
    if method not in METHODS:
        raise InputError(f"method: expected one of {METHODS}. Received: {method!r}.")
    kind = _nuts().NutsOptions if method == "nuts" else {"grid": GridOptions, "importance": ImportanceOptions}[method]
    names = [option.name for option in fields(kind)]
    for name in options:
        if name not in names:
            raise InputError(
                f"infer: expected options of {method!r} among {', '.join(names)} "
                f"(did you mean {nearest_name(name, names)!r}?). Received: {name!r}."
            )
    return kind(**options)


def make_sampler(method, model, prior, options):
    """The function that computes a `GroupResult`.

    Args:
        method: One of `METHODS`.
        model: `MarginalLikelihood`.
        prior: `BoundPrior`.
        options: Those of the method.

    Returns:
        Function (target, widening_at, options, *, seed, advance); `advance` is called with the share that is done.
    """
    if method == "nuts":
        return _nuts().NutsSampler(model, prior, options)
    return {"grid": grid_group, "importance": importance_group}[method]


def _nuts():
    # TensorFlow takes seconds to load; the other methods leave it to the model.
    from higlow_tf.inference import nuts

    return nuts
