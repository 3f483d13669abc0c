"""Weights from one flow to another that has the same parts."""

__all__ = ["copy_weights"]


def copy_weights(source, target):
    """Gives the weights of `target` the values that those of the same place and name have in `source`.

    Weights that only one of the two has are left alone: a flow with end layers takes what a flow without them has, and the
    other way round.
    """
    values = {_place(weight): weight for weight in source.weights}
    for weight in target.weights:
        if _place(weight) in values:
            weight.assign(values[_place(weight)].numpy())


def _place(weight):
    """Where a weight is, without the name of its model."""
    return weight.path.split("/", 1)[1]
