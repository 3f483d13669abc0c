"""Wrong input: one sentence on stderr, exit code 2, nothing written and nothing lost."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from toy_records import SPLIT

import higlow_tf.cli
from higlow_tf.cli import console
from higlow_tf.errors import InputError
from higlow_tf.runs import RunDirectory, new_config

CLI = Path(higlow_tf.cli.__file__).parent
# Modules that commands import when they run.
HEAVY_MODULES = {"train_progress.py"}
ALLOWED = sys.stdlib_module_names
LIGHT_PACKAGES = (
    "higlow_tf.cli",
    "higlow_tf.devices",
    "higlow_tf.errors",
    "higlow_tf.files",
    "higlow_tf.folder_lock",
    "higlow_tf.gallery",
    "higlow_tf.ownership",
    "higlow_tf.versions",
    "numpy",
    "typer",
    "yaml",
)


def set_pixel(value):
    def change(maps, theta):
        maps[5, 3, 2] = value
        return maps, theta

    return change


def set_map(maps, theta):
    maps[5] = 7.0
    return maps, theta


def set_theta(maps, theta):
    theta[3, 0] = 0.7
    return maps, theta


BROKEN_DATA = {
    "lengths": (lambda maps, theta: (maps[:-1], theta), "same number of maps for each of the 12 simulations"),
    "nan": (set_pixel(np.nan), "1 NaN or infinite pixels"),
    "infinite": (set_pixel(np.inf), "1 NaN or infinite pixels"),
    "negative": (set_pixel(-1.0), "1 negative pixels"),
    "constant": (set_map, "1 maps whose pixels are all equal"),
    "prior": (set_theta, r"inside the prior. Received: Omega_m of 4 of 48 rows lies outside [0.1, 0.5] by up to 0.2"),
    "size": (lambda maps, theta: (maps[:, :14, :14], theta), "a map size that 4 divides, for 2 levels. Received: 14"),
    "simulations": (lambda maps, theta: (maps[:32], theta[:8]), "at least 10 simulations. Received: 8"),
}


def write_data(folder, suite, change):
    maps, theta = change(*(array.copy() for array in suite.arrays))
    np.save(folder / "maps.npy", maps)
    np.savetxt(folder / "params.txt", theta, header="Omega_m sigma_8")
    return folder / "maps.npy", folder / "params.txt"


def train(higlow, maps, params, out, *more):
    data = ("--maps", maps, "--params", params)
    return higlow("train", "--preset", "tiny", *data, "--batch-size", "8", "--out", out, *more)


def assert_refused(result, sentence):
    assert result.exit_code == 2, result.stderr
    assert sentence in result.stderr
    assert "Received: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", BROKEN_DATA)
def test_training_refuses_broken_data(name, higlow, suite, tmp_path):
    change, sentence = BROKEN_DATA[name]
    maps, params = write_data(tmp_path, suite, change)
    assert_refused(train(higlow, maps, params, tmp_path / "run"), sentence)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maps.npy", "params.txt"]


@pytest.mark.parametrize("kind", ["truncated", "pickled", "missing", "empty"])
def test_training_refuses_broken_files(kind, higlow, suite, tmp_path):
    maps = tmp_path / "maps.npy"
    if kind == "truncated":
        maps.write_bytes(suite.maps.read_bytes()[:-100])
    elif kind == "pickled":
        np.save(maps, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif kind == "empty":
        maps.touch()
    assert_refused(train(higlow, maps, suite.params, tmp_path / "run"), "maps.npy must be a")
    assert not (tmp_path / "run").exists()


def test_equal_parameters_under_two_indices_are_warned_of(higlow, suite, tmp_path):
    def copy_row(maps, theta):
        theta[1] = theta[0]
        return maps, theta

    maps, params = write_data(tmp_path, suite, copy_row)
    # The batch ends the run before anything is computed: the warning is what is looked at.
    result = train(higlow, maps, params, tmp_path / "run", "--batch-size", "1000")
    assert_refused(result, "at least one batch of 1000 training maps")
    # Beside it there is at most the one of the devices.
    assert result.stderr.replace("Warning: TensorFlow finds no GPU", "").count("Warning: ") == 1
    assert "simulations that share all their parameters with another: 0, 1" in result.stderr


def test_unknown_keys_are_named_with_the_nearest(higlow, suite, tmp_path):
    result = train(higlow, suite.maps, suite.params, tmp_path / "run", "--set", "training.batchsize=8")
    assert_refused(result, "did you mean 'batch_size'?). Received: training.batchsize")
    result = train(higlow, suite.maps, suite.params, tmp_path / "run", "--set", "model.num_level=1")
    assert_refused(result, "did you mean 'num_levels'?). Received: num_level")
    config = tmp_path / "config.yaml"
    content = {"data": {"maps": str(suite.maps), "params": str(suite.params)}, "presett": "tiny"}
    config.write_text(yaml.safe_dump(content))
    assert_refused(higlow("train", config, "--out", tmp_path / "run"), "did you mean 'preset'?). Received: presett")
    result = higlow(
        "train", "--preset", "tinny", "--maps", suite.maps, "--params", suite.params, "--out", tmp_path / "r"
    )
    assert_refused(result, "did you mean 'tiny'?). Received: 'tinny'")
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize("setting", ["training", "training.epochs.x=1", "training.epochs=[", "training.epochs=-1"])
def test_settings_that_are_none(setting, higlow, suite, tmp_path):
    result = train(higlow, suite.maps, suite.params, tmp_path / "run", "--set", setting)
    assert_refused(result, "training")
    assert not (tmp_path / "run").exists()


def test_training_needs_a_configuration_or_files(higlow, tmp_path):
    assert_refused(higlow("train", "--out", tmp_path / "run"), "no preset, no maps, no params")


def test_existing_output_stays(higlow, suite, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "thesis.txt").write_text("years")
    assert_refused(train(higlow, suite.maps, suite.params, out), "run: expected a new folder, --resume or --overwrite")
    assert_refused(train(higlow, suite.maps, suite.params, out, "--overwrite"), "replaces runs only")
    assert (out / "thesis.txt").read_text() == "years"
    for name, arguments in {
        "samples.npy": ("sample", tmp_path, "--from-prior", "2", "--out", tmp_path / "samples.npy"),
        "metrics.json": ("evaluate", tmp_path, "--maps", suite.maps, "--params", suite.params, "--out", tmp_path),
        "report.html": ("demo", "--out", tmp_path),
        "speed.json": ("benchmark", "--json", tmp_path / "speed.json"),
    }.items():
        (tmp_path / name).write_text("old")
        assert_refused(higlow(*arguments), "Received: a")
        assert (tmp_path / name).read_text() == "old"
        (tmp_path / name).unlink()
    simulate = ("simulate", "--simulations", "1", "--size", "8", "--out", suite.maps.parent)
    assert_refused(higlow(*simulate), "an existing file")


def test_a_foreign_config_makes_no_run(higlow, suite, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "config.yaml").write_text("old")
    (out / "thesis.txt").write_text("years")
    assert_refused(train(higlow, suite.maps, suite.params, out, "--overwrite"), "replaces runs only")
    assert sorted(path.name for path in out.iterdir()) == ["config.yaml", "thesis.txt"]
    assert (out / "config.yaml").read_text() == "old"


def test_a_run_that_cannot_be_replaced_is_put_back(higlow, suite, tmp_path):
    out = tmp_path / "run"
    config = new_config(preset="tiny", maps=suite.maps, params=suite.params)
    RunDirectory(out).create(config, SPLIT)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    result = train(higlow, suite.maps, suite.params, out, "--overwrite", "--batch-size", "1000")
    assert_refused(result, "at least one batch")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "RUN", "--from-prior", "2", "--out", "OUT/thesis.npy"),
        ("infer", "RUN", "--maps", "MAPS", "--out", "OUT/thesis.npy"),
        ("export", "RUN", "--out", "OUT"),
        ("demo", "--out", "OUT"),
        ("reproduce-paper", "--out", "OUT"),
        ("simulate", "--suite", "lognormal", "--simulations", "1", "--size", "8", "--out", "OUT"),
    ],
)
def test_overwrite_never_touches_what_is_foreign(arguments, higlow, suite, tmp_path):
    """Folders and files with the names of ours, made by somebody else: with --overwrite, too."""
    for name in ("thesis.npy", "1", "run", "data", "Maps_HI_Lognormal_LH_z=6.00.npy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("years")
    places = {"OUT": tmp_path, "RUN": tmp_path / "run", "MAPS": suite.maps}
    words = [str(places[w]) if w in places else w.replace("OUT/", f"{tmp_path}/") for w in arguments]
    before = sorted(tmp_path.rglob("*"))
    result = higlow(*words, "--overwrite")
    assert result.exit_code == 2, result.stdout
    assert sorted(path for path in tmp_path.rglob("*") if ".higlow" not in path.parts) == before


def test_runs_of_a_newer_version_are_refused(higlow, suite, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "format_version").write_text("99\n")
    for arguments in (
        ("train", "--resume", "--out", run),
        ("sample", run, "--from-prior", "2", "--out", tmp_path / "samples.npy"),
        ("evaluate", run, "--maps", suite.maps, "--params", suite.params, "--out", tmp_path / "evaluation"),
        ("audit", run),
        ("export", run, "--out", tmp_path / "model"),
    ):
        assert_refused(higlow(*arguments), "expected format version 1 or older. Received: '99'")
    assert list(tmp_path.iterdir()) == [run]


def test_resuming_takes_everything_from_the_run(higlow, tmp_path):
    result = higlow("train", "--resume", "--out", tmp_path, "--preset", "tiny")
    assert_refused(result, "expected no changes but epochs")
    assert_refused(higlow("train", "--resume", "--out", tmp_path, "--overwrite"), "without CONFIG.yaml and --overwrite")
    assert_refused(higlow("train", "--resume", "--out", tmp_path / "no_run"), "expected a run")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "exactly one of"),
        (("--from-prior", "2", "--theta", "0.3,0.8"), "Received: --theta, --from-prior"),
    ],
)
def test_sampling_needs_one_kind_of_parameters(arguments, sentence, higlow, tmp_path):
    assert_refused(higlow("sample", tmp_path, *arguments, "--out", tmp_path / "samples.h5"), sentence)
    assert_refused(higlow("sample", tmp_path, *arguments, "--out", tmp_path / "samples.csv"), "ends in .npy or .h5")
    assert list(tmp_path.iterdir()) == []


def test_audit_needs_a_run_and_no_table_alone(higlow, suite, tmp_path):
    assert_refused(higlow("audit", tmp_path / "none"), "no such folder")
    assert_refused(higlow("audit", tmp_path), "expected the record of a run's training maps")
    assert_refused(higlow("audit", tmp_path, "--params", suite.params), "--params: expected with --maps")


def test_truths_are_for_a_figure(higlow, suite, tmp_path):
    arguments = ("--maps", suite.maps, "--params", suite.params, "--out", tmp_path / "posterior.h5")
    assert_refused(higlow("infer", tmp_path, *arguments), "--params: expected with --figure")


def test_help_needs_no_heavy_package():
    """Whatever a command imports outside of its functions, --help imports too."""
    for path in CLI.glob("*.py"):
        if path.name in HEAVY_MODULES:
            continue
        for node in ast.parse(path.read_text()).body:
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                is_ours = name.startswith(LIGHT_PACKAGES)
                assert is_ours or name.partition(".")[0] in ALLOWED, f"{path.name} imports {name}"
                assert name.removeprefix("higlow_tf.cli.") + ".py" not in HEAVY_MODULES, f"{path.name} imports {name}"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InputError("a: expected b. Received: c."), 2, "a: expected b. Received: c.\n"),
        (RuntimeError("it broke\nin two lines"), 1, "RuntimeError: it broke (run again with --debug"),
        (KeyboardInterrupt(), 130, "Stopped by Ctrl-C."),
    ],
)
def test_what_fails_becomes_one_sentence_and_a_code(error, code, text, debug, capsys, monkeypatch):
    monkeypatch.setattr(console.SETTINGS, "debug", debug)

    def command():
        raise error

    with pytest.raises(typer.Exit) as stopped:
        console.guarded(command)()
    assert stopped.value.exit_code == code
    stderr = capsys.readouterr().err
    assert text in stderr
    assert ("Traceback" in stderr) == debug
