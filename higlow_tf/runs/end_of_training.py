"""What follows the last epoch of a run: its best model is given end layers."""

import warnings

from higlow_tf.errors import InputWarning
from higlow_tf.models.end_layer_fit import MIN_MAPS, MIN_SIMULATIONS, fit_end_layers
from higlow_tf.models.model_file import read_model_config
from higlow_tf.models.saving import load_model
from higlow_tf.runs.split_record import subset_of

__all__ = ["end_training", "lacks_end_layers"]


def lacks_end_layers(run, config):
    """Whether the best model of a run, a `RunDirectory`, waits for end layers: wanted, possible, and not there.

    Raises:
        InputError: If the model is damaged.
    """
    is_wanted = config.training.end_layers and run.model_path.exists()
    if not is_wanted or read_model_config(run.model_path).get("use_end_layers", False):
        return False
    record = run.open()[1]
    numbers = len(record["map_hashes"]["train"]), len(record["simulations"]["train"])
    return numbers[0] >= MIN_MAPS and numbers[1] >= MIN_SIMULATIONS


def end_training(run, config, data, on_stage):
    """Fits the end layers to the training maps of a run, and writes its best model with them.

    Args:
        run: `RunDirectory` of a run whose training has ended.
        config: `RunConfig`.
        data: `HIMapDataset` of all maps.
        on_stage: Called as `on_stage("end layers", done, total)`.

    Returns:
        `EndLayerFit`, or None if there was nothing to fit.

    Warns:
        InputWarning: If there are too few maps or simulations, or as `fit_end_layers` does.
    """
    if not config.training.end_layers:
        return None
    train = subset_of(run.open()[1], data, "train")
    if train.num_maps < MIN_MAPS or train.num_simulations < MIN_SIMULATIONS:
        warnings.warn(
            f"end layers: need {MIN_MAPS} maps of {MIN_SIMULATIONS} simulations, and {train.num_maps} of "
            f"{train.num_simulations} are trained on: the model has none",
            InputWarning,
            stacklevel=2,
        )
    if not lacks_end_layers(run, config):
        return None
    model = load_model(run.path)
    fit = fit_end_layers(model, train, seed=config.training.seed, progress=on_stage)
    run.write_model(fit.model)
    return fit
