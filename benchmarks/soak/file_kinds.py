"""Every kind of file that the product reads again, and the command that reads it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.soak.contents import contents_of
from benchmarks.soak.program import Answer, call
from benchmarks.soak.workspace import INFER

__all__ = ["KINDS", "FileKind", "Reading"]

_MAPS, _TABLE = "Maps_HI_Lognormal_LH_z=6.00.npy", "params_LH_Lognormal.txt"
_MOCK = ("simulate", "--suite", "mock", "--simulations", 3, "--size", 8, "--mesh-size", 16, "--processes", 1)


@dataclass(frozen=True)
class Reading:
    """What a command said of a folder, and what it made of it: in a form that can be compared."""

    answer: Answer
    content: dict


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        prepare: `prepare(workspace, folder)` copies what the command reads into the folder.
        file: Pattern of the name of the file in the folder; the first that fits is meant.
        read: `read(workspace, folder)` -> `Reading`.
    """

    prepare: Callable
    file: str
    read: Callable

    def path(self, folder):
        """The file in a folder."""
        return sorted(folder.glob(self.file))[0]


def _copy(name, *parts):
    def prepare(workspace, folder):
        for part in parts:
            source = workspace.get(name) / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)

    return prepare


def _command(*arguments, results=()):
    """A reader that calls the program; words that begin with "@" are paths in the folder, "$data" stands for maps and table."""

    def read(workspace, folder):
        words = []
        for word in arguments:
            if isinstance(word, str) and word in ("$data", "$maps"):
                words += workspace.data if word == "$data" else workspace.maps
            else:
                words.append(folder / word[1:] if isinstance(word, str) and word.startswith("@") else word)
        answer = call(*words)
        # What is said counts where nothing is written; else there are times in it.
        content = {} if results else {"stdout": " ".join(answer.stdout.replace(str(folder), "").split())}
        for name in results:
            content |= contents_of(folder / name) if (folder / name).exists() else {}
        return Reading(answer, content)

    return read


def _read_posterior(workspace, folder):
    """No command reads a posterior again; the package does."""
    from higlow_tf.errors import InputError
    from higlow_tf.inference import load_posterior

    try:
        posterior = load_posterior(folder / "posterior.h5")
    except InputError as error:
        return Reading(Answer(2, "", str(error)), {})
    arrays = [posterior.theta_grid, posterior.log_posterior, posterior.map_estimate, posterior.mean, posterior.sd]
    words = (
        posterior.method,
        posterior.notes,
        str(posterior.calibration),
        str(dict(posterior.prior)),
        posterior.parameters.names,
    )
    return Reading(Answer(0, "", ""), {"arrays": [np.asarray(a).tobytes() for a in arrays], "words": words})


def _unfinished_answers(workspace, folder):
    """What `infer` leaves when it is interrupted."""
    from higlow_tf.data import load_maps_only
    from higlow_tf.inference import infer
    from higlow_tf.models import load_model

    shutil.copytree(workspace.get("calibrated") / "run", folder / "run")
    stored = workspace.out / "whole" / "unfinished_answers_of_infer"
    if not stored.exists():
        model, maps = load_model(folder / "run"), load_maps_only([workspace.maps[1]]).maps[: int(INFER[1][2:])]
        infer(model, maps, calibration="stored", seed=0, cache_dir=stored)
    shutil.copytree(stored, folder / ".posterior.h5.unfinished")


def _unfinished_maps(workspace, folder):
    """What `simulate --suite mock` leaves when it is interrupted."""
    from higlow_tf.data.mock import write_mock

    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    try:
        write_mock(folder / "suite", simulations=3, map_size=8, mesh_size=16, processes=1, progress=interrupt)
    except KeyboardInterrupt:
        return


def _old_suite(workspace, folder):
    shutil.copytree(workspace.get("data"), folder / "suite")


_RUN = _copy("calibrated", "run")
_SAMPLE = _command("sample", "@run", "--theta", "0.3,0.8", "--out", "@s.npy", results=("s.npy",))
_AUDIT = _command("audit", "@run", "$data")
_INFER = _command("infer", "@run", "$maps", "--rows", "0:2", "--out", "@p.h5", results=("p.h5",))
_RESUME = _command("train", "--resume", "--epochs", 3, "--out", "@run", results=("run",))
_NEW_SUITE = (
    "simulate", "--simulations", 2, "--maps-per-simulation", 1, "--size", 8, "--out", "@suite", "--overwrite",
)  # fmt: skip


def _audit_of(*options):
    """A reader that asks whether a file may test the run."""

    def read(workspace, folder):
        return _command("audit", workspace.get("calibrated") / "run", *options)(workspace, folder)

    return read


KINDS = {
    "model.keras": FileKind(_RUN, "run/model.keras", _SAMPLE),
    "split.json": FileKind(_RUN, "run/split.json", _AUDIT),
    "format_version": FileKind(_RUN, "run/format_version", _AUDIT),
    "versions.json": FileKind(_RUN, "run/versions.json", _AUDIT),
    "calibration.json": FileKind(_RUN, "run/calibration.json", _INFER),
    "typicality.json": FileKind(_RUN, "run/typicality.json", _INFER),
    "config.yaml": FileKind(_RUN, "run/config.yaml", _RESUME),
    "history.csv": FileKind(_RUN, "run/history.csv", _RESUME),
    "checkpoint": FileKind(_RUN, "run/checkpoints/*.npz", _RESUME),
    "list of a run": FileKind(_RUN, "run/.higlow/folder.json", _RESUME),
    "list of a suite": FileKind(_old_suite, "suite/.higlow/folder.json", _command(*_NEW_SUITE, results=("suite",))),
    "maps.npy": FileKind(_copy("data", _MAPS, _TABLE), _MAPS, _audit_of("--maps", f"@{_MAPS}", "--params", f"@{_TABLE}")),
    "params.txt": FileKind(_copy("data", _MAPS, _TABLE), _TABLE, _audit_of("--maps", f"@{_MAPS}", "--params", f"@{_TABLE}")),
    "maps.h5": FileKind(_copy("results", "maps.h5"), "maps.h5", _audit_of("--maps", "@maps.h5")),
    "samples.h5": FileKind(_copy("results", "samples.h5"), "samples.h5", _audit_of("--maps", "@samples.h5")),
    "samples.npy": FileKind(
        _copy("results", "samples.npy", "samples_params.txt"), "samples.npy",
        _audit_of("--maps", "@samples.npy", "--params", "@samples_params.txt"),
    ),
    "posterior.h5": FileKind(_copy("results", "posterior.h5"), "posterior.h5", _read_posterior),
    "metrics.json": FileKind(
        _RUN, "run/calibration/metrics.json",
        _command(
            "export", "@run", "--metrics", "@run/calibration/metrics.json", "--out", "@served",
            results=("served/1/assets.extra/model_card.json",),
        ),
    ),
    "unfinished answers": FileKind(_unfinished_answers, ".posterior.h5.unfinished/*.npz", _command(
        "infer", "@run", "$maps", *INFER, "--out", "@posterior.h5", results=("posterior.h5",)
    )),
    "unfinished maps": FileKind(_unfinished_maps, "suite/.*.partial.npy", _command(
        *_MOCK, "--resume", "--out", "@suite", results=("suite",)
    )),
    "settings of unfinished maps": FileKind(_unfinished_maps, "suite/.*.partial.json", _command(
        *_MOCK, "--resume", "--out", "@suite", results=("suite",)
    )),
}  # fmt: skip
