"""What a word that stands for a model means: a path, or the name of a model in one of the folders of models."""

import os
import re
import sysconfig
from pathlib import Path

import platformdirs

from higlow_tf.errors import InputError

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "fetched_folder",
    "find_run",
    "find_saved_model",
    "find_version",
    "gallery_folders",
    "is_model_name",
    "list_models",
    "run_in",
    "versions_in",
]

ENVIRONMENT_VARIABLE = "HIGLOW_MODELS"
# A name is one word that is no hidden file, and no path on any system.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_CHECKOUT = Path(__file__).parents[2]


def is_model_name(word):
    """Whether a word could be the name of a model: a letter, digit or underscore, then these, dots, plus signs and hyphens."""
    return _NAME.fullmatch(str(word)) is not None


def fetched_folder():
    """Where `fetch_model` puts models if it is told nothing: the first folder of HIGLOW_MODELS, or one of the user's own."""
    named = _named_folders()
    return named[0] if named else platformdirs.user_data_path("higlow_tf", appauthor=False) / "models"


def gallery_folders():
    """The folders that are searched for a name, the first first; those that do not exist are left out.

    They are those that the environment variable HIGLOW_MODELS names (several with ":" between them, with ";" on Windows),
    ./saved_models, the saved_models of the checkout that the package runs from, share/higlow_tf/models of the Python
    installation, and the folder of `fetch_model`.

    Returns:
        List of absolute paths.
    """
    checkout = [_CHECKOUT / "saved_models"] if (_CHECKOUT / "pyproject.toml").is_file() else []
    shared = Path(sysconfig.get_path("data"), "share", "higlow_tf", "models")
    folders = [*_named_folders(), Path("saved_models"), *checkout, shared, fetched_folder()]
    return list(dict.fromkeys(folder.resolve() for folder in folders if folder.is_dir()))


def _named_folders():
    return [Path(text).expanduser() for text in os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep) if text]


def list_models():
    """The models that have a name.

    Returns:
        Name -> folder of the model, in the order of `gallery_folders`: of two models with one name, the first counts.
    """
    return _models(lambda folder: run_in(folder) or versions_in(folder))


def _models(has_form):
    found = {}
    for gallery in gallery_folders():
        if not os.access(gallery, os.R_OK | os.X_OK):  # of somebody else
            continue
        for folder in sorted(gallery.iterdir()):
            if folder.is_dir() and is_model_name(folder.name) and has_form(folder):
                found.setdefault(folder.name, folder)
    return found


def run_in(folder):
    """The run of a published model, its folder `run`; or the folder itself, if it is a run or a saved model; or None."""
    return next((path for path in (folder / "run", folder) if (path / "model.keras").is_file()), None)


def versions_in(folder):
    """The SavedModels of an exported model by their version, the oldest first: its folders 1, 2 and so on."""
    found = {
        int(path.parent.name): path.parent
        for path in folder.glob("*/saved_model.pb")
        if path.parent.name.isascii() and path.parent.name.isdigit()
    }
    return dict(sorted(found.items()))


def find_run(word):
    """The folder of a run or of a saved model, from its path or its name.

    Args:
        word: A path, which comes back as it is; or the name of a model, if there is no such path.

    Returns:
        Path.

    Raises:
        InputError: If it is no path and no model with a run has this name.
    """
    folder = _named_model(word, run_in, "the folder of a model or a run")
    return Path(word) if folder is None else run_in(folder)


def find_saved_model(word):
    """The folder of an exported model, with its versions 1, 2 and so on, from its path or its name; otherwise as `find_run`."""
    folder = _named_model(word, versions_in, "the folder of an exported model")
    return Path(word) if folder is None else folder


def find_version(word):
    """The folder of one version of an exported model, from its path; or the newest, from the name or the folder of a model.

    Otherwise as `find_run`.
    """
    folder = _named_model(word, versions_in, "the folder of one version of an exported model") or Path(word)
    return list(versions_in(folder).values() or [folder])[-1]


def _named_model(word, has_form, expected):
    """The folder of the model that a word names, or None if the word is a path."""
    if not is_model_name(word) or Path(word).exists():
        return None
    models = _models(has_form)
    if str(word) not in models:
        names = ", ".join(models) or f"no model found; {ENVIRONMENT_VARIABLE} may say where they are"
        raise InputError(f"{word}: expected {expected}, or the name of a model ({names}). Received: neither.")
    return models[str(word)]
