"""On which maps several models may be judged, which maps a model has learned from, and where maps for judging are drawn."""

from higlow_tf.errors import InputError
from higlow_tf.map_transforms import map_transform_of
from higlow_tf.runs import load_data_like, maps_for_testing, subset_of
from higlow_tf.runs.split_record import ON_TRAINING_MAPS

__all__ = ["judged_maps", "theta_to_draw_at", "training_maps_of"]


def judged_maps(models, maps, params=None, *, allow_training_maps=False):
    """Reads maps as those of the first model were read, and finds those on which every model may be judged.

    Args:
        models: Models by name; the first one is the model that is judged.
        maps: Path of the maps, or several for the channels.
        params: Path of the table; None for an HDF5 file that holds parameters.
        allow_training_maps: Whether to continue if maps were trained on. The label then says so.

    Returns:
        All data and the data on which every model may be judged (two `HIMapDataset`s), and in words which these are.

    Raises:
        InputError: If the maps do not fit a model, if models do not fit each other, or if maps were trained on.
    """
    (_, first), *others = models.items()
    how = {"parameters": first.parameters, "nuisance": first.nuisance, "map_transform": map_transform_of(first)}
    data = load_data_like(first.split, maps, params, **how)
    _check_fit(first, data, maps)
    test, label = maps_for_testing(first.split, data, allow_training_maps=allow_training_maps)
    for name, other in others:
        _check_alike(first, other, name)
        # As read: the record of the other run knows the maps without the floor of this one.
        same = data.select_simulations(test.simulation_indices)
        _, other_label = maps_for_testing(other.split, same, allow_training_maps=allow_training_maps)
        if ON_TRAINING_MAPS in other_label:
            label = f"{label}; --compare {other_label}"
    return data, test, label


def training_maps_of(model, data):
    """The maps `[T, H, W]` that a model learned from, if the data are those of its run; otherwise the reason, in words."""
    if model.split is None:
        return "the model carries no record of its training maps"
    if data.content_hash() != model.split["content_hash"]:
        return "the file is not the one that the model was trained on, whose maps are not at hand"
    return subset_of(model.split, data, "train").maps


def theta_to_draw_at(model, theta, seed):
    """The parameters at which a model draws the maps that are compared with test maps.

    What one asks for is that of the test maps. The nuisance is drawn from its prior, for each map its own: that is what
    somebody gets who asks for these maps.

    Args:
        model: A model with the verbs of `ConditionalGlow`.
        theta: Parameters of test maps, one row for each map to draw, `[M, P]`.
        seed: Seed of the maps.

    Returns:
        Parameters `[M, P]`.
    """
    names = model.parameters_of_interest.names
    columns = model.parameters.columns(theta, names)
    return model.complete_theta(dict(zip(names, columns.T, strict=True)), seed=seed)


def _check_fit(model, data, maps):
    names = ", ".join(str(file) for file in (maps if isinstance(maps, (list, tuple)) else [maps]))
    if data.map_size != model.map_size:
        raise InputError(f"{names}: expected maps of {model.map_size} pixels a side. Received: {data.map_size}.")
    if data.num_channels != model.num_channels:
        raise InputError(
            f"{names}: expected {model.num_channels} fields, one --maps for each. Received: {data.num_channels}."
        )


def _check_alike(first, other, name):
    expected, found = ((m.map_size, m.num_channels, m.parameters.names) for m in (first, other))
    if expected != found:
        raise InputError(
            f"--compare {name}: expected a model of {expected[0]} pixels a side, {expected[1]} fields, and "
            f"{', '.join(expected[2])}. Received: {found[0]}, {found[1]}, and {', '.join(found[2])}."
        )
