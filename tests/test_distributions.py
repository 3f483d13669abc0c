"""The wheel and the source distribution: complete, clean, and the wheel works in an environment of its own."""

import email
import os
import shutil
import subprocess
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import higlow_tf

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Of what git holds, these are for the checkout alone.
LEFT_OUT = {".gitignore"}
MADE = {"PKG-INFO", "setup.cfg"}
MAX_BYTES = {"wheel": 1_000_000, "sdist": 25_000_000}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def call(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return done.stdout


def make_environment(folder, *packages):
    """An environment with some packages; returns the folder of its programs."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    call(programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", *packages, cwd=folder)
    return programs


def tracked_files():
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("not a checkout of git")
    names = {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}
    return {name for name in names if name not in LEFT_OUT and not name.startswith(".ci/")}


@pytest.fixture(scope="module")
def tracked():
    return tracked_files()


@pytest.fixture(scope="module")
def built(tracked, tmp_path_factory):
    """Paths of the source distribution, and of the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("built")
    for name in tracked:
        (folder / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "sources" / name)
    programs = make_environment(folder / "tools", "build")
    call(programs / "python", "-m", "build", "--outdir", folder / "dist", folder / "sources", cwd=folder)
    shutil.rmtree(folder / "tools")
    (sdist,), (wheel,) = (list((folder / "dist").glob(pattern)) for pattern in ("*.tar.gz", "*.whl"))
    return {"sdist": sdist, "wheel": wheel}


@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_it_is_small(built, kind):
    assert 100_000 < built[kind].stat().st_size < MAX_BYTES[kind]


def test_the_source_distribution_is_the_checkout(built, tracked):
    with tarfile.open(built["sdist"]) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    found = {name for name in names if name not in MADE and not name.startswith("higlow_tf.egg-info/")}
    assert found == tracked


def test_the_wheel_is_the_package(built, tracked):
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {name for name in tracked if name.startswith("higlow_tf/")}
    assert "higlow_tf/py.typed" in names


def test_what_a_package_index_is_told(built):
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = {name.partition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        about = email.message_from_bytes(archive.read(names["METADATA"]))
        programs = archive.read(names["entry_points.txt"]).decode()
    assert "licenses/LICENSE" in names
    assert "higlow = higlow_tf.cli.app:main" in programs
    assert {url.partition(",")[0] for url in about.get_all("Project-URL")} >= {"Repository", "Documentation"}
    assert set(about.get_all("Provides-Extra")) >= {"cuda", "serve", "batch"}
    assert about["Description-Content-Type"] == "text/markdown"
    assert "](docs/" not in about.get_payload()


def test_the_wheel_works_alone(built, tmp_path):
    """In the release of TensorFlow that these tests run with, which pip has at hand."""
    release = f"tensorflow=={metadata.version('tensorflow')}"
    programs = make_environment(tmp_path / "clean", built["wheel"], release)
    where = call(programs / "python", "-c", "import higlow_tf; print(higlow_tf.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "clean")
    said = call(programs / "higlow", "--version", cwd=tmp_path).splitlines()
    assert said[0] == f"higlow_tf {higlow_tf.__version__}"
    assert said[-1].startswith("devices: ")
    run = ROOT / "saved_models" / "compact_mock" / "run"
    options = ("--omega-m", "0.3", "--sigma-8", "0.8", "--count", "2", "--out", "maps.npy")
    call(programs / "higlow", "sample", run, *options, cwd=tmp_path)
    assert np.load(tmp_path / "maps.npy").shape == (2, 64, 64)
    shutil.rmtree(tmp_path / "clean")  # gigabytes
