"""What the parts of a soak begin with: small data, a run, its calibration, its export. Each is made when it is first needed."""

import os
import shutil
from pathlib import Path

import filelock
import h5py
import numpy as np

from benchmarks.soak.program import call

__all__ = ["CALIBRATE", "INFER", "TRAIN", "Workspace"]

# Small enough that a command takes some ten seconds, large enough for end layers and a calibration.
SIMULATIONS, MAPS_PER_SIMULATION, MAP_SIZE = 40, 3, 16
TRAIN = (
    "--preset", "tiny", "--batch-size", 16, "--deterministic", "--set", "training.jit_compile=false",
    "--set", "model.width=4", "--set", "model.num_steps_per_level=1",
)  # fmt: skip
CALIBRATE = ("--maps-per-simulation", 2, "--points", 6, "--symmetries", 2)
INFER = ("--rows", "0:12")


class Workspace:
    """Folder of a soak: `whole/` holds what all parts begin with, `scratch/` what a part is at work on.

    Args:
        out: Folder of the soak.
    """

    def __init__(self, out):
        self.out = Path(out).resolve()
        self.whole = self.out / "whole"

    def get(self, name):
        """The path of one of the things below, made if it is missing; whole or not at all."""
        path = self.whole / name
        self.whole.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.out / f".{name}.lock"):
            if not path.exists():
                part = self.whole / f"unfinished_{name}"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                _MAKERS[name](self, part)
                os.replace(part, path)
        return path

    def scratch(self, *names):
        """An empty folder."""
        folder = self.out / "scratch" / "_".join(str(name).replace(" ", "_").replace("/", "_") for name in names)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @property
    def maps(self):
        """Options that name the maps that the run was trained on."""
        return ("--maps", self.get("data") / "Maps_HI_Lognormal_LH_z=6.00.npy")

    @property
    def data(self):
        """Options that name the maps and their parameters."""
        return (*self.maps, "--params", self.get("data") / "params_LH_Lognormal.txt")


def well(*arguments):
    """Runs a command that must succeed."""
    answer = call(*arguments)
    if answer.exit_code:
        raise RuntimeError(f"higlow {arguments[0]} ended with {answer.exit_code}: {answer.stderr}")
    return answer


def _make_data(_, part):
    counts = ("--simulations", SIMULATIONS, "--maps-per-simulation", MAPS_PER_SIMULATION, "--size", MAP_SIZE)
    well("simulate", *counts, "--out", part)


def _make_run(workspace, part):
    # Without end layers it is continued in half the time; those that are killed have them.
    well("train", *TRAIN, *workspace.data, "--no-end-layers", "--epochs", 2, "--out", part / "run")


def _make_calibrated(workspace, part):
    shutil.copytree(workspace.get("trained") / "run", part / "run")
    well("calibrate", part / "run", *workspace.data, *CALIBRATE)


def _make_results(workspace, part):
    run = workspace.get("calibrated") / "run"
    well("infer", run, *workspace.maps, "--rows", "0:2", "--out", part / "posterior.h5")
    for name in ("samples.h5", "samples.npy"):
        well("sample", run, "--from-prior", 4, "--out", part / name)
    maps, table = (np.load(workspace.data[1]), np.loadtxt(workspace.data[3]))
    with h5py.File(part / "maps.h5", "w") as file:
        file.update({"maps": maps, "theta": np.repeat(table, MAPS_PER_SIMULATION, axis=0)})
        file.attrs["parameters"] = ["Omega_m", "sigma_8"]


def _make_export(workspace, part):
    well("export", workspace.get("calibrated") / "run", "--out", part / "served")


_MAKERS = {
    "data": _make_data,
    "trained": _make_run,
    "calibrated": _make_calibrated,
    "results": _make_results,
    "exported": _make_export,
}
