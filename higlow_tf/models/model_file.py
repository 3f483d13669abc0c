"""model.keras before anything is built from it: a whole zip file, whose configuration is that of a flow its weights fill."""

import json
import zipfile
import zlib
from typing import Annotated, Any, Literal

import keras
import pydantic

from higlow_tf.errors import InputError
from higlow_tf.models.architecture import GlowArchitecture
from higlow_tf.models.map_flow import MapFlow
from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.text_files import Record, check_record

__all__ = ["EXPECTED", "check_model_file", "read_model_config"]

EXPECTED = "a whole model file"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_FILES = {"metadata.json", _CONFIG, _WEIGHTS}
# A configuration has a kilobyte; thousands of parameters would fit into this.
_MAX_CONFIG_BYTES = 2**20
# Random numbers hardly compress: a file that promises so many times its size is none of ours.
_MAX_EXPANSION = 20
_FLOAT_BYTES = 4


def _up_to(limit):
    return Annotated[int, pydantic.Field(ge=1, le=limit)]


# Far beyond what a GPU of today can train. What the weights do not fill is refused in any case.
_Side, _Width, _Steps, _Levels, _Blocks = (_up_to(limit) for limit in (4096, 16384, 10000, 12, 1000))
_DTypeName = Literal["float32", "float64"]


class _DTypeConfig(Record):
    name: _DTypeName


class _DType(Record):
    module: Literal["keras"]
    class_name: Literal["DTypePolicy"]
    config: _DTypeConfig
    registered_name: None = None
    shared_object_id: int | None = None


class _Flow(Record):
    """Configuration of any flow; files that were written before an argument existed lack it."""

    name: str = ""
    trainable: bool = True
    dtype: _DTypeName | _DType = "float32"
    map_size: _Side
    num_channels: _up_to(256)
    parameters: Annotated[list[dict], pydantic.Field(min_length=1, max_length=1000)]
    nuisance: Annotated[list[str], pydantic.Field(max_length=1000)] = []
    map_transform: Literal["log10", "identity"] = "log10"
    max_log_scale: pydantic.PositiveFloat = MAX_LOG_SCALE
    use_end_layers: bool = False
    seed: int = 0


class _Glow(_Flow):
    num_levels: _Levels
    num_steps_per_level: _Steps
    width: _Width | list[_Width]
    injector: str = GlowArchitecture.injector
    injector_width: _Width = GlowArchitecture.injector_width
    padding: str = GlowArchitecture.padding
    use_split_prior: bool = GlowArchitecture.use_split_prior
    use_map_mean: bool = GlowArchitecture.use_map_mean
    use_act_norm: bool = GlowArchitecture.use_act_norm
    keep_activations: bool = GlowArchitecture.keep_activations
    use_pixel_curve: bool = False

    def fewest_weights(self):
        """The matrices of the 1x1 convolutions and of the couplings; all other weights come on top."""
        widths = self.width if isinstance(self.width, list) else [self.width] * self.num_levels
        sizes = [(4 * self.num_channels * 2**level, width) for level, width in enumerate(widths)]
        # A coupling reads half of the channels through 3x3 pixels and returns two numbers for each of the other half.
        of_step = [channels**2 + width**2 + 13 * channels * width for channels, width in sizes]
        return self.num_steps_per_level * sum(of_step)


class _HIFlow(_Flow):
    num_blocks: _Blocks
    width: _up_to(2**20)
    ordering: str

    def fewest_weights(self):
        """The first and the second layer of every block."""
        return self.num_blocks * 3 * self.map_size**2 * self.num_channels * self.width


class _TRENF(_Flow):
    num_blocks: _Blocks
    width: _Width
    num_filter_knots: _Width
    num_curve_knots: _Width

    def fewest_weights(self):
        """The second layers of the two networks of every block."""
        knots = self.num_filter_knots + 2 * self.num_curve_knots
        return self.num_blocks * self.num_channels * knots * self.width


class _OwnFlow(_Flow):
    """A flow of the user's: its constructor checks the arguments that are its own."""

    model_config = pydantic.ConfigDict(extra="allow")

    def fewest_weights(self):
        """Nothing is known of them."""
        return 0


_CONFIGS = {"higlow_tf>ConditionalGlow": _Glow, "higlow_tf>HIFlow": _HIFlow, "higlow_tf>TRENF": _TRENF}


class _Model(Record):
    module: str
    class_name: str
    registered_name: str
    config: dict[str, Any]
    build_config: dict[str, Any] | None = None
    compile_config: dict[str, Any] | None = None


def check_model_file(path):
    """Refuses a file from which no model can be built, or only one that would never end to be built.

    Raises:
        InputError: If the file is no whole zip file of a model, its configuration is not that of a `ConditionalGlow`, a
            `HIFlow`, a `TRENF` or a subclass of `MapFlow` that is registered with Keras, or declares more weights than the file
            has.
    """
    read_model_config(path)


def read_model_config(path):
    """The configuration of a flow, from a file that was checked as `check_model_file` does."""
    if not path.is_file():
        raise InputError(f"{path}: expected {EXPECTED}. Received: something else than a file.")
    try:
        with zipfile.ZipFile(path) as file:
            content, weights_bytes = _read_parts(file, path)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected {EXPECTED}. Received: {error or 'a damaged file'}.") from None
    check_record(_Model, content, path, EXPECTED)
    config_type = _config_type(content["registered_name"])
    if config_type is None:
        raise InputError(
            f"{path}: expected {EXPECTED} of a MapFlow that is registered with Keras, of a ConditionalGlow, HIFlow or TRENF. "
            f"Received: {content['registered_name'][:80]!r}."
        )
    check_record(config_type, content["config"], path, EXPECTED)
    number = config_type.model_validate(content["config"]).fewest_weights()
    if number * _FLOAT_BYTES > weights_bytes:
        raise InputError(
            f"{path}: expected {EXPECTED} with the weights that its configuration needs, at least {number}. "
            f"Received: {weights_bytes} bytes of weights."
        )
    return content["config"]


def _config_type(registered_name):
    """What the configuration must be; None for what is no flow."""
    if registered_name in _CONFIGS:
        return _CONFIGS[registered_name]
    kind = keras.saving.get_registered_object(registered_name)
    return _OwnFlow if isinstance(kind, type) and issubclass(kind, MapFlow) else None


def _read_parts(file, path):
    """The configuration, and the size of the weights, after every checksum was compared."""
    names = sorted(file.namelist())
    if names != sorted(_FILES):
        raise InputError(f"{path}: expected {EXPECTED} with {', '.join(sorted(_FILES))}. Received: {names[:5]}.")
    size = path.stat().st_size
    for info in file.infolist():
        if info.file_size > _MAX_EXPANSION * size:
            raise InputError(
                f"{path}: expected {EXPECTED}. Received: {info.file_size} bytes in a file of {size} bytes."
            )
    if file.getinfo(_CONFIG).file_size > _MAX_CONFIG_BYTES:
        raise InputError(f"{path}: expected {EXPECTED}. Received: a configuration above {_MAX_CONFIG_BYTES} bytes.")
    damaged = file.testzip()
    if damaged is not None:
        raise InputError(f"{path}: expected {EXPECTED}. Received: a damaged {damaged}.")
    try:
        return json.loads(file.read(_CONFIG)), file.getinfo(_WEIGHTS).file_size
    except RecursionError:
        raise InputError(f"{path}: expected {EXPECTED}. Received: brackets inside brackets without end.") from None
