"""A model's configuration: the arguments of its constructor, whose signature is their only list."""

import difflib
import inspect

import keras

from higlow_tf.errors import InputError
from higlow_tf.models.arguments import nuisance_names, parameter_space
from higlow_tf.models.likelihood_model import LikelihoodModel
from higlow_tf.models.presets import preset

__all__ = ["ConfiguredModel"]

_OF_FROM_PRESET = ("map_size", "num_channels", "parameters")


class ConfiguredModel(LikelihoodModel):
    """A model that stores every argument of its constructor under its own name, and can be made from them again.

    A subclass has the class attribute `presets`, and begins its constructor with `super().__init__(locals(), **kwargs)`.

    Args:
        arguments: `locals()` of the subclass's constructor. What its signature names is the configuration; `parameters`
            becomes a `ParameterSpace`, and `nuisance`, after it, a tuple of names.
        **kwargs: As in `keras.Model`.

    Raises:
        InputError: If Keras has another backend than TensorFlow.
    """

    def __init__(self, arguments, **kwargs):
        if keras.backend.backend() != "tensorflow":
            raise InputError(
                "Expected Keras with TensorFlow: set KERAS_BACKEND=tensorflow, or the backend in ~/.keras/keras.json. "
                f"Received: {keras.backend.backend()}."
            )
        super().__init__(**kwargs)
        for key in self._config_keys():
            setattr(self, key, self._checked(key, arguments[key]))

    def _checked(self, key, value):
        """An argument as it is stored."""
        if key == "parameters":
            return parameter_space(value)
        return nuisance_names(value, self.parameters) if key == "nuisance" else value

    @classmethod
    def from_preset(cls, name, *, map_size=None, num_channels=1, parameters=None, dtype=None, **overrides):
        """Builds one of the class's `presets`.

        Args:
            name: Name of the preset.
            map_size: Pixels on a side, if other than the preset's.
            num_channels: Fields in a map.
            parameters: Names or `ParameterSpec`s; None for Omega_m and sigma_8.
            dtype: "float32" (default) or "float64".
            **overrides: Other arguments of the constructor.

        Raises:
            InputError: If the preset or an override does not exist.
        """
        cls._check_overrides(overrides)
        config = {**preset(name, cls.presets), "num_channels": num_channels, "dtype": dtype, **overrides}
        if map_size is not None:
            config["map_size"] = map_size
        if parameters is not None:
            config["parameters"] = parameters
        return cls(**config)

    def get_config(self):
        config = {key: getattr(self, key) for key in self._config_keys()}
        # JSON has lists only, and Keras stores a list as one of its own kind.
        config = {key: list(value) if isinstance(value, (list, tuple)) else value for key, value in config.items()}
        return {**super().get_config(), **config, "parameters": self.parameters.to_config()}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)

    @classmethod
    def _config_keys(cls):
        """Names of the constructor's own arguments, in its order; those of Keras are not among them."""
        arguments = list(inspect.signature(cls.__init__).parameters.values())[1:]  # without self
        return tuple(argument.name for argument in arguments if argument.kind is not inspect.Parameter.VAR_KEYWORD)

    @classmethod
    def _check_overrides(cls, overrides):
        known = [key for key in cls._config_keys() if key not in _OF_FROM_PRESET]
        for key in overrides:
            if key not in [*known, "name"]:
                nearest = difflib.get_close_matches(key, known, n=1)
                hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
                raise InputError(f"Expected overrides among {', '.join(known)}{hint}. Received: {key}.")
