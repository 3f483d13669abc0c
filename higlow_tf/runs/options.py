"""The configuration of a run from what a user says: a file, options that override it, or a run that is continued."""

from pathlib import Path

import yaml

from higlow_tf.data.hdf5 import HDF5_SUFFIXES
from higlow_tf.data.parameters import nearest_name
from higlow_tf.errors import InputError
from higlow_tf.gallery import find_run
from higlow_tf.runs.config import parse_run_config, read_run_config
from higlow_tf.runs.continuation import CHANGEABLE, changed_key, open_to_continue
from higlow_tf.runs.directory import RunDirectory
from higlow_tf.runs.end_of_training import lacks_end_layers

__all__ = [
    "OPTIONS",
    "check_changes",
    "is_over",
    "keeps_activations",
    "new_config",
    "parse_settings",
    "resumed_config",
    "with_values",
]

OPTIONS = {
    "preset": "preset",
    "maps": "data.maps",
    "params": "data.params",
    "parameters": "data.parameters",
    "nuisance": "data.nuisance",
    "map_size": "data.map_size",
    "slab_thickness_mpc_h": "data.slab_thickness_mpc_h",
    "box_size_mpc_h": "data.box_size_mpc_h",
    "split_seed": "data.split_seed",
    "epochs": "training.epochs",
    "max_minutes": "training.max_minutes",
    "batch_size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "deterministic": "training.deterministic",
    "end_layers": "training.end_layers",
    "memory": "model.keep_activations",
}
"""Options of `train`, and where each of them stands in the configuration."""

_SOURCE = "the options"
_KEEPS_ACTIVATIONS = {"high": True, "low": False}
# What a new run takes if nothing is said. A configuration without these keys is that of an older run, which took none.
_NUISANCE = "known"
# Presets whose runs on log10 maps see pixels through a curve. `paper` stays as it was published.
_WITH_PIXEL_CURVE = ("compact", "higlow")


def new_config(config_file=None, *, start_from=None, settings=None, **options):
    """The configuration of a new run. Options override the file, and the file overrides the preset's recipe.

    Args:
        config_file: A YAML file, or None.
        start_from: Run of the first stage, or its name. The second stage takes over its data, split and model. Not with a file.
        settings: Any other values, by their path with dots: `{"training.clip_norm": 0.5}`.
        **options: Those of `OPTIONS`; None for an option that is not given. Paths are relative to the working directory.

    Returns:
        `RunConfig`.

    Raises:
        InputError: If something is missing or unknown, or has the wrong type.
    """
    values = _values(options, settings)
    if start_from is not None:
        values = _of_first_stage(start_from, config_file) | values
    if config_file is None:
        _check_complete(values)
        content = {"data": {}}
    else:
        content = _content_of(config_file)
    content["data"].setdefault("nuisance", _NUISANCE)
    content = with_values(content, values)
    if start_from is None:  # a second stage has the model of the first
        _begin_with_pixel_curve(content)
    return parse_run_config(content, _SOURCE)


def resumed_config(out, *, settings=None, may_be_over=False, **options):
    """The configuration of a run that is continued. Only epochs, max_minutes, maps and params may change.

    Raises:
        InputError: If something else shall change, the run cannot be continued (see `open_to_continue`), or no time or epoch is
            left, unless it `may_be_over`.
    """
    given = [name for name, value in options.items() if value is not None]
    fixed = [name for name in given if OPTIONS.get(name) not in CHANGEABLE] + list(settings or {})
    if fixed:
        raise _fixed(fixed[0])
    config, _, checkpoint = open_to_continue(RunDirectory(out))
    changed = parse_run_config(with_values(config.model_dump(mode="json"), _values(options)), _SOURCE)
    if not may_be_over and is_over(changed.training, checkpoint) and not lacks_end_layers(RunDirectory(out), changed):
        row = checkpoint.state["history"][-1]
        raise InputError(
            f"{out}: expected a run with time and epochs left; give a larger --max-minutes or --epochs. "
            f"Received: one with {row['epoch']} epochs in {row['wall_minutes']:.1f} minutes."
        )
    return changed


def _begin_with_pixel_curve(content):
    """Puts `use_pixel_curve` into the content of a new configuration that does not say."""
    if content.get("preset", "compact") not in _WITH_PIXEL_CURVE:
        return
    model = content.setdefault("model", {})
    if isinstance(model, dict) and model.get("map_transform", "log10") == "log10":
        model.setdefault("use_pixel_curve", True)


def check_changes(old, new):
    """Refuses a configuration with which a run cannot be continued.

    Raises:
        InputError: If two `RunConfig`s differ in more than epochs, max_minutes, maps and params.
    """
    changed = changed_key(old, new)
    if changed is not None:
        raise _fixed(changed[0])


def _fixed(name):
    return InputError(f"--resume: expected no changes but epochs, max-minutes, maps and params. Received: {name}.")


def parse_settings(settings):
    """Lines KEY.PATH=VALUE, the value in YAML, as a dict."""
    values = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise InputError(f"--set: expected KEY.PATH=VALUE. Received: {setting!r}.")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {key}: expected a YAML value. Received: {value!r}.") from None
    return values


def _values(options, settings=None):
    """The options that are given and the settings, by their place in the configuration."""
    for name in options:
        if name not in OPTIONS:
            raise InputError(
                f"Expected options among {', '.join(OPTIONS)} (did you mean {nearest_name(name, OPTIONS)!r}?). "
                f"Received: {name!r}."
            )
    prepared = {
        **options,
        "maps": _absolute(options.get("maps") or None),
        "params": _absolute(options.get("params")),
        "parameters": _columns(options.get("parameters")),
        "nuisance": _columns(options.get("nuisance")),
        "memory": keeps_activations(options.get("memory")),
    }
    return {OPTIONS[name]: value for name, value in prepared.items() if value is not None} | dict(settings or {})


def keeps_activations(memory):
    """The argument of a Glow for the option `memory`: high, low or None for what the model takes by itself."""
    if memory is not None and memory not in _KEEPS_ACTIVATIONS:
        raise InputError(f"memory: expected {' or '.join(_KEEPS_ACTIVATIONS)}. Received: {memory!r}.")
    return _KEEPS_ACTIVATIONS.get(memory)


def _absolute(files):
    """Files are named relative to the folder of the call. The run must find them from any folder."""
    if isinstance(files, (list, tuple)):
        paths = [str(Path(file).resolve()) for file in files]
        return paths[0] if len(paths) == 1 else paths
    return None if files is None else str(Path(files).resolve())


def _columns(parameters):
    if not isinstance(parameters, str) or parameters in ("all", "known", "none"):
        return parameters if parameters is None or isinstance(parameters, str) else list(parameters)
    if Path(parameters).suffix:  # a file: no parameter has a dot in its name
        return _absolute(parameters)
    return [name.strip() for name in parameters.split(",")]


def _check_complete(values):
    needed = ["preset", "data.maps", "data.params"]
    files = values.get("data.maps", [])
    if any(str(file).endswith(HDF5_SUFFIXES) for file in (files if isinstance(files, list) else [files])):
        needed.remove("data.params")  # such a file may hold its parameters
    missing = [name.removeprefix("data.") for name in needed if name not in values]
    if missing:
        raise InputError(
            f"Expected a configuration file, or preset, maps and params. Received: no {', no '.join(missing)}."
        )


def _content_of(config_file):
    """The file as it is written. The options may have chosen another preset, and then that one fills in what is left open."""
    read_run_config(config_file)  # names the file in its errors
    content = yaml.safe_load(Path(config_file).read_text(encoding="utf-8"))
    for name in ("maps", "params"):
        content["data"][name] = _absolute(content["data"].get(name))
    for name in ("parameters", "nuisance"):
        if isinstance(content["data"].get(name), str):
            content["data"][name] = _columns(content["data"][name])
    return content


def _of_first_stage(start_from, config_file):
    """What a second stage takes from the run that it starts with: data, split and model."""
    if config_file is not None:
        raise InputError("Expected --from RUN, whose configuration is used, or CONFIG.yaml. Received: both.")
    folder = find_run(start_from)
    first, _ = RunDirectory(folder).open()
    content = first.model_dump(mode="json")
    return {
        "start_from": str(folder.resolve()),
        "preset": content["preset"],
        "model": content["model"],
        **{f"data.{name}": value for name, value in content["data"].items()},
    }


def is_over(training, checkpoint):
    """Whether a run has no time or no epoch left after a `Checkpoint`; `training` is its `TrainingConfig`."""
    row = checkpoint.state["history"][-1]
    has_no_time = training.max_minutes is not None and row["wall_minutes"] >= training.max_minutes
    return has_no_time or row["epoch"] >= training.epochs


def with_values(content, values):
    """Puts values into a nested dict, by their path with dots."""
    for key, value in values.items():
        *sections, name = key.split(".")
        section = content
        for part in sections:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise InputError(
                    f"--set {key}: expected the path of a value. Received: {part}, which is a value itself."
                )
        section[name] = value
    return content
