"""What pages tell a user to do is done, page by page in its order, with the smallest models on the smallest maps."""

import os
import re
import shlex
import shutil

import numpy as np
import pytest
from doc_pages import DOCS, ROOT, steps
from typer.testing import CliRunner
from uncompiled import no_compilation

import higlow_tf as hg
from higlow_tf.cli.app import app
from higlow_tf.data import CAMELS_PARAMETERS, ParameterSpace
from higlow_tf.data.lognormal import write_lognormal

__all__ = ["no_compilation"]

pytestmark = [
    pytest.mark.slow,
    # There are few simulations, and few maps of each.
    pytest.mark.filterwarnings("ignore::higlow_tf.errors.InputWarning"),
]
# Chains and services, which have tests of their own.
OTHERWISE_TESTED = {"demo", "reproduce-paper", "benchmark", "serve", "client", "batch", "fetch"}
MAPS = (
    "MAPS.npy",
    "Maps_HI_IllustrisTNG_LH_z=0.00.npy",
    "Maps_HI_SIMBA_LH_z=0.00.npy",
    "Maps_Mgas_SIMBA_LH_z=0.00.npy",
)
NEW_MAPS = ("NEW.npy", "OTHER.npy")
TABLES = ("PARAMS.txt", "params_LH_IllustrisTNG.txt", "params_LH_SIMBA.txt", "OTHER.txt")
ENVIRONMENT = ("TF_CPP_MIN_LOG_LEVEL", "GRPC_VERBOSITY")
SMALLER = (
    (r"--preset (compact|higlow|paper)", "--preset tiny"),
    (r"--preset hiflow64", "--preset hiflow16 --set model.width=8 --batch-size 8"),
    (r"^estimate compact", "estimate tiny"),
    (r"--max-minutes \d+", "--epochs 1"),
    (r"--map-size \d+", "--map-size 16"),
    (r"model.num_levels=\d", "model.num_levels=2"),
    (r"--count \d+", "--count 2"),
    (r"--simulations \d+( --size \d+)?", "--simulations 12 --size 16"),
    (r"^(train (?!.*--(parameters|resume|from)).*)", r"\1 --nuisance none"),
    (r"^(evaluate .*)", r"\1 --posterior-maps 0 --cosmologies 0"),
    (r"^(calibrate [^-]*)(.*?)( --maps-per-simulation \d+)?$", r"\1\2 --maps-per-simulation 1 --symmetries 1"),
    (r"--suite mock (.*)", r"--suite lognormal \1"),
)
SMALLER_PYTHON = (
    (r'"compact"', '"tiny"'),
    (r"resume=True, max_minutes=\d+", "resume=True, epochs=9"),
    (r"max_minutes=\d+", 'epochs=1, nuisance="none"'),
    (r"epochs=20", "epochs=1"),
    (r"count=64", "count=2"),
    (r"\[:10\]", "[:2]"),
)
# The chain of this page stands there twice: once for the shell, once for Python.
GLANCE = DOCS / "glance.md"
GLANCE_IN_PYTHON = ((r'"(runs|saved_models)/first', r'"\1/in_python'), (r'"report"', '"report_in_python"'))


def what_to_do(page):
    """Blocks of Python, and words of commands without the name of the program; not what is tested otherwise."""
    found = []
    for kind, text in steps(page):
        if kind == "python":
            found.append((kind, text))
        elif text.startswith("higlow ") and text.split()[1] not in OTHERWISE_TESTED:
            found.append((kind, shlex.split(text, comments=True)[1:]))
    return found


MANUAL = (
    ROOT / "README.md",
    GLANCE,
    DOCS / "quickstart.md",
    *sorted((DOCS / "howto").glob("*.md")),
    DOCS / "concepts" / "floors.md",
    DOCS / "library.md",
)
PAGES = [page for page in MANUAL if what_to_do(page)]


def higlow(arguments):
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    result = CliRunner().invoke(app, arguments)
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    assert result.exit_code == 0, f"higlow {shlex.join(arguments)}: {result.stderr} {result.stdout[-500:]}"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, no_compilation):
    """Files of maps, tables with the six parameters of CAMELS, and a run; lognormal maps do not know of four of them."""
    folder = tmp_path_factory.mktemp("prepared")
    maps, params = write_lognormal(folder / "raw", simulations=40, map_size=16, maps_per_simulation=2, seed=0)
    theta = ParameterSpace.from_names(list(CAMELS_PARAMETERS)).sample_uniform(40, seed=0)
    theta[:, :2] = np.loadtxt(params)
    np.savetxt(folder / "table", theta, header=" ".join(CAMELS_PARAMETERS))
    new_maps, _ = write_lognormal(folder / "new", simulations=40, map_size=16, maps_per_simulation=2, seed=1)
    for name in (*MAPS, *NEW_MAPS):
        shutil.copy(new_maps if name in NEW_MAPS else maps, folder / name)
    for name in TABLES:
        shutil.copy(folder / "table", folder / name)
    files = {"maps": folder / "MAPS.npy", "params": folder / "PARAMS.txt"}
    hg.runs.train(preset="tiny", **files, nuisance="none", epochs=1, out=folder / "RUN")
    return folder


def workspace(page, prepared, folder):
    """A folder in which a page can be followed: files, runs, and the models of the checkout (to be read)."""
    shutil.copytree(prepared, folder, symlinks=True, dirs_exist_ok=True)
    shutil.copytree(folder / "RUN", folder / "RUN2")
    (folder / "saved_models").mkdir()
    (folder / "saved_models" / "compact_mock").symlink_to(ROOT / "saved_models" / "compact_mock")
    makes_it = any(re.match(r"higlow train (?!.*--resume).*--out runs/first", text) for _, text in steps(page))
    if not makes_it:
        shutil.copytree(folder / "RUN", folder / "runs" / "first")


def smaller(text, changes):
    for pattern, replacement in changes:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed(page, prepared, tmp_path, monkeypatch):
    workspace(page, prepared, tmp_path)
    monkeypatch.chdir(tmp_path)
    names, num_resumed = {"hg": hg}, 0
    for kind, content in what_to_do(page):
        if kind == "python":
            changes = SMALLER_PYTHON + (GLANCE_IN_PYTHON if page == GLANCE else ())
            exec(compile(smaller(content, changes), str(page), "exec"), names)
            continue
        arguments = shlex.split(smaller(shlex.join(content), SMALLER))
        if "--resume" in arguments:
            num_resumed += 1
            arguments = [
                *(word for word in arguments if word not in ("--epochs", "1")),
                "--epochs",
                str(1 + num_resumed),
            ]
        higlow(arguments)
