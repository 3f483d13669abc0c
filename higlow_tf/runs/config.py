"""The configuration of a training run. It is checked before anything is computed."""

import difflib
import reprlib
from pathlib import Path
from typing import Literal

import pydantic
import yaml

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path
from higlow_tf.models.presets import POSTERIOR_RECIPE, RECIPES
from higlow_tf.runs.yaml_file import read_yaml

__all__ = ["DataConfig", "RunConfig", "TrainingConfig", "read_run_config", "write_run_config"]


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class DataConfig(_Section):
    """Files, how they are read, parameters and the split by simulation.

    Several files of maps are the channels. `params` may be missing for an HDF5 file that holds its parameters.
    `parameters` are names of columns, mappings (name, low, high, transform) for columns without a known prior, "all", or the
    path of an Info_*.txt file of CAMELS. `nuisance` says the same of further columns, which the model is conditioned on but
    one does not ask for: "all" and a file mean all others, "known" those with a known prior if they are not more than four (what
    new runs take where nothing is said), "none" is an empty list. For a value of None the files decide, or
    the default of `higlow_tf.data.load_cmd`.
    """

    maps: Path | list[Path]
    params: Path | None = None
    parameters: str | list[str | dict] = ["Omega_m", "sigma_8"]
    nuisance: str | list[str | dict] = []
    map_size: pydantic.PositiveInt | None = None
    slab_thickness_mpc_h: pydantic.PositiveFloat | None = None
    box_size_mpc_h: pydantic.PositiveFloat | None = None
    redshift: pydantic.NonNegativeFloat | None = None
    split_fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    split_seed: pydantic.NonNegativeInt = 0

    @pydantic.field_validator("nuisance")
    @classmethod
    def _no_nuisance(cls, nuisance):
        return [] if nuisance == "none" else nuisance

    @property
    def map_files(self):
        """The files of maps, as a list."""
        return self.maps if isinstance(self.maps, list) else [self.maps]

    @property
    def reading(self):
        """How the maps are read, as arguments of `higlow_tf.data.load_cmd` and `load_maps_only`."""
        names = ("map_size", "slab_thickness_mpc_h", "box_size_mpc_h", "redshift")
        return {name: getattr(self, name) for name in names}


class TrainingConfig(_Section):
    """The recipe. The learning rate rises over the warm-up and falls as a half cosine to its final fraction."""

    epochs: pydantic.PositiveInt = 200
    max_minutes: pydantic.PositiveFloat | None = None
    batch_size: pydantic.PositiveInt = 64
    learning_rate: pydantic.PositiveFloat = 1e-3
    final_learning_rate_fraction: pydantic.NonNegativeFloat = 0.02
    warmup_steps: pydantic.NonNegativeInt = 100
    clip_norm: pydantic.PositiveFloat | None = 1.0
    weight_decay: pydantic.NonNegativeFloat = 0.0
    average_momentum: float = pydantic.Field(0.999, ge=0.0, lt=1.0)
    early_stopping_epochs: pydantic.PositiveInt = 30
    augment: bool = True
    seed: pydantic.NonNegativeInt = 0
    jit_compile: bool = True
    deterministic: bool = False
    end_layers: bool = True
    posterior_weight: pydantic.NonNegativeFloat = 0.0
    num_candidates: int = pydantic.Field(8, ge=2)


class RunConfig(_Section):
    """A run: data, model and recipe. The preset fills in what the recipe leaves open, then the default does.

    `start_from` is a run of the same data, split and model. This run starts with its weights: it is the second stage, which
    trains for the posterior.
    """

    data: DataConfig
    preset: str = "compact"
    model: dict = {}
    start_from: Path | None = None
    training: TrainingConfig = TrainingConfig()
    format_version: Literal[1] = 1

    @property
    def map_transform(self):
        """What the model sees of a map, "log10" or "identity"."""
        return self.model.get("map_transform", "log10")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fill_in_recipe(cls, content):
        if isinstance(content, dict) and isinstance(content.get("training", {}), dict):
            recipe = RECIPES.get(str(content.get("preset", cls.model_fields["preset"].default)), {})
            recipe = recipe if content.get("start_from") is None else POSTERIOR_RECIPE
            return {**content, "training": {**recipe, **content.get("training", {})}}
        return content


def read_run_config(path):
    """Reads a YAML configuration.

    Raises:
        InputError: If the file is missing, is not YAML or too much of it, or has a key or a value that does not exist. The
            error names the nearest one.
    """
    path = Path(path)
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected a mapping with data, preset, model, training. Received: {type(content).__name__}."
        )
    return parse_run_config(content, path)


def parse_run_config(content, path):
    """Checks a dict; `path` names its source in errors."""
    try:
        return RunConfig.model_validate(content)
    except pydantic.ValidationError as error:
        # An unknown key explains the required one that is missing.
        first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = _keys_beside(first["loc"])
            nearest = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.0)
            raise InputError(
                f"{path}: expected a known key (did you mean {nearest[0]!r}?). Received: {where}."
            ) from None
        raise InputError(f"{path}: {where}: {first['msg']}. Received: {reprlib.repr(first['input'])}.") from None


def write_run_config(config, path):
    """Writes a configuration as YAML, whole or not at all."""
    with whole_path(path) as part:
        part.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def _keys_beside(location):
    model = RunConfig
    for part in location[:-1]:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
