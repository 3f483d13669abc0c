"""A model with the scaler of its maps: what it sees of a physical map, and the numbers for it from the training maps."""

import keras
import numpy as np

from higlow_tf.bijectors import MapPreprocessing
from higlow_tf.data.scalers import fit_map_scaler, map_extremes
from higlow_tf.map_transforms import check_map_transform
from higlow_tf.models.arguments import check_training_data
from higlow_tf.models.configuration import ConfiguredModel

__all__ = ["PreprocessedModel"]

# Beyond log10 of the pixels that a float32 can hold, or almost its largest number: until `initialize` sets the bounds, the
# tails begin nowhere.
_NO_BOUND = {"log10": 100.0, "identity": 3e38}


class PreprocessedModel(ConfiguredModel):
    """Base of models of standardised maps.

    Math:
        u = log10(map), or the map itself with map_transform="identity"
        x = (u - map_shift) / map_scale   (beyond the extremes of training: see `LogarithmicTails`)

    Args:
        arguments, **kwargs: See `ConfiguredModel`. Without an argument `map_transform` the model is one of log10 maps.

    Weights:
        Fixed, and set by `_fit_scaler`: `map_shift`, `map_log_scale`, `map_lowest`, `map_highest`, `[C]`, in the unit of u.

    Raises:
        InputError: If the map transform is unknown.
    """

    map_transform = "log10"

    def __init__(self, arguments, **kwargs):
        super().__init__(arguments, **kwargs)
        check_map_transform(self.map_transform)
        self.preprocessing = MapPreprocessing(
            lambda: (self.map_shift.value, self.map_log_scale.value),
            lambda: (self.map_lowest.value, self.map_highest.value),
            map_transform=self.map_transform,
        )

    def _add_scaler_weights(self):
        no_bound = _NO_BOUND[self.map_transform]
        starts = {"map_shift": 0.0, "map_log_scale": 0.0, "map_lowest": -no_bound, "map_highest": no_bound}
        for name, start in starts.items():
            initializer = keras.initializers.Constant(start)
            weight = self.add_weight(name=name, shape=(self.num_channels,), initializer=initializer, trainable=False)
            setattr(self, name, weight)

    def _fit_scaler(self, train):
        """Sets the scaler and the bounds of the tails to those of the training maps, and returns the `MapScaler`."""
        check_training_data(self, train)
        scaler = fit_map_scaler(train, self.map_transform)
        lowest, highest = map_extremes(train, self.map_transform)
        self.map_lowest.assign(lowest)
        self.map_highest.assign(highest)
        self.map_shift.assign(scaler.shift)
        self.map_log_scale.assign(np.log(scaler.scale))
        return scaler
