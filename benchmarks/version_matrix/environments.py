"""Interpreters, virtual environments, and what pip says when something is not to be had."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.version_matrix.combinations import ROOT

__all__ = ["ENVIRONMENT", "NotToBeHadError", "build_wheel", "find_python", "make_environment", "reason_of_pip"]

# Of the user, but for what could put the checkout in the place of the installed package.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}

_NEEDED_TO_BUILD = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "higlow_tf")
# What has a compiler's output inside is taken as a wheel or not at all: to compile it is no test of ours.
_COMPILED = (
    "contourpy", "grpcio", "h5py", "kiwisolver", "llvmlite", "matplotlib", "ml-dtypes", "numba", "numpy", "pandas", "pillow",
    "pydantic-core", "pyyaml", "scikit-image", "scikit-learn", "scipy", "tensorflow", "wrapt",
)  # fmt: skip
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
_ANSWER_SECONDS = 60


class NotToBeHadError(Exception):
    """An interpreter or a package of a combination does not exist here."""


def find_python(version):
    """The path of an interpreter that can make virtual environments: on PATH, or one that uv or pyenv has.

    Raises:
        NotToBeHadError: If there is none.
    """
    for candidate in _candidates(version):
        program = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
        if _answer(candidate, "-c", program) == version:
            return str(candidate)
    raise NotToBeHadError(f"no Python {version} that can make virtual environments, on PATH or of uv or pyenv")


def _candidates(version):
    yield sys.executable
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield from filter(None, [shutil.which(f"python{version}", path=folder)])
    uv = shutil.which("uv")
    if uv:
        yield from _answer(uv, "python", "find", version).splitlines()[:1]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted((pyenv / "versions").glob(f"{version}.*/bin/python"))


def _answer(*command):
    """What a program prints; "" if it fails or is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def build_wheel(python, folder):
    """Builds the wheel from a copy of the sources, so that nothing of an earlier build gets in; returns its path."""
    copy = folder / "sources"
    shutil.rmtree(folder, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in _NEEDED_TO_BUILD:
        source = ROOT / name
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy)
    subprocess.run(
        [python, *_PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, copy], check=True, env=ENVIRONMENT
    )
    return next(folder.glob("*.whl"))


def make_environment(python, folder, wheel, requirements):
    """Makes a virtual environment with the wheel and what it needs; returns the path of its interpreter.

    Raises:
        NotToBeHadError: If pip does not find a set of packages.
    """
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    inner = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    # Without compiling all of TensorFlow to bytecode: what is imported is compiled then.
    how = ["--quiet", "--no-compile", "--only-binary", ",".join(_COMPILED)]
    command = [inner, *_PIP, "install", *how, wheel, *requirements]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode:
        raise NotToBeHadError(reason_of_pip(done.stderr))
    return inner


def reason_of_pip(stderr):
    """The reason in a few words."""
    missing = re.findall(r"No matching distribution found for ([\w.-]+)==([\w.*]+)", stderr)
    if missing:
        return f"no {missing[-1][0]} {missing[-1][1]} for this Python"
    conflicts = re.findall(r"^    (.+ depends on .+|The user requested .+)$", stderr, re.MULTILINE)
    if conflicts:
        return f"pip finds no set of packages: {'; '.join(conflicts[:3])}"
    errors = re.findall(r"^ERROR: (.+)$", stderr, re.MULTILINE) or stderr.strip().splitlines() or ["pip failed"]
    return errors[-1]
