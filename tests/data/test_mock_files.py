"""The files of the mock suite: layout, sets, processes, resuming, and errors."""

import json
import os
import resource
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from higlow_tf.cli.app import app
from higlow_tf.data import load_cmd
from higlow_tf.data.mock import VARIANTS, simulate, write_mock
from higlow_tf.data.mock.parameter_sets import set_parameters, simulation_seeds
from higlow_tf.data.parameters import CAMELS_PARAMETERS
from higlow_tf.errors import InputError, InputWarning

SMALL = {"simulations": 4, "map_size": 8, "mesh_size": 16, "processes": 1}
UNIFORM = VARIANTS["uniform-background"]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mock") / "new" / "folder"
    return write_mock(folder, **SMALL, seed=1)


def test_files_hold_the_simulations_of_the_table(finished):
    maps_path, params_path, card_path = finished
    assert maps_path.name == "Maps_HI_MockUniformUV_LH_z=6.00.npy"
    assert params_path.name == "params_LH_MockUniformUV.txt"
    assert card_path.name == "Maps_HI_MockUniformUV_LH_z=6.00.json"
    assert len(contents(maps_path.parent)) == 3
    assert params_path.read_text().splitlines()[0] == "# " + " ".join(CAMELS_PARAMETERS)
    data = load_cmd(maps_path, params_path, tuple(CAMELS_PARAMETERS))
    assert (data.suite, data.set_name, data.field, data.redshift) == ("MockUniformUV", "LH", "HI", 6.0)
    assert data.maps.shape == (60, 8, 8)
    theta = np.loadtxt(params_path)
    for row in range(4):
        expected = simulate(theta[row], [1, 0, 0, row], map_size=8, mesh_size=16)
        np.testing.assert_array_equal(data.maps[15 * row : 15 * row + 15], expected)


def test_card_says_what_the_maps_are(finished):
    card = json.loads(finished[2].read_text())
    assert card["units"] == "(Msun/h)/(Mpc/h)^2, comoving"
    # The number that the data's own description gives, to its digits.
    assert card["column_density_cm2_per_unit"] == pytest.approx(4.107e9, rel=5e-4)
    expected = {"redshift": 6.0, "box_size_mpc_h": 25.0, "h": 0.6711, "n_s": 0.9624, "Omega_b": 0.049, "seed": 1}
    assert {key: card[key] for key in expected} == expected
    assert (card["suite"], card["set"], card["simulations"], card["mesh_size"]) == ("MockUniformUV", "LH", 4, 16)
    assert card["variant"]["photoionization_rate_per_s"] == 2.5e-13
    assert "CAMELS" not in json.dumps(card)


def test_processes_change_no_byte(finished, tmp_path):
    seen = []
    write_mock(tmp_path, **(SMALL | {"processes": 2}), seed=1, progress=lambda stage, *counts: seen.append(counts))
    assert contents(tmp_path) == contents(finished[0].parent)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_killed_call_is_resumed_to_the_same_bytes(finished, tmp_path):
    kill = "lambda stage, done, total: done < 2 or os.kill(os.getpid(), signal.SIGKILL)"
    code = f"import os, signal; from higlow_tf.data.mock import write_mock; write_mock({str(tmp_path)!r}, **{SMALL}, seed=1, "
    process = subprocess.run([sys.executable, "-c", f"{code}progress={kill})"], check=False)
    assert process.returncode == -signal.SIGKILL
    partial = next(tmp_path.glob(".*.partial.npy"))
    assert not list(tmp_path.glob("Maps*")), "nothing unfinished has the name of the maps"
    with pytest.raises(
        InputError, match="--resume to continue the call that was interrupted.*--overwrite.*Received: neither"
    ):
        write_mock(tmp_path, **SMALL, seed=1)
    with pytest.raises(InputError, match=r"partial.json: expected seed of the interrupted call, 1. Received: 2"):
        write_mock(tmp_path, **SMALL, seed=2, resume=True)
    with partial.open("ab") as file:
        file.write(b"half a simulation")
    seen = []
    write_mock(tmp_path, **SMALL, seed=1, resume=True, progress=lambda stage, *counts: seen.append(counts))
    assert seen == [(2, 4), (3, 4), (4, 4)]
    assert contents(tmp_path) == contents(finished[0].parent)


@pytest.mark.parametrize("calls", [0, 1])
def test_a_call_that_is_stopped_while_it_names_its_files_is_resumed(finished, tmp_path, monkeypatch, calls):
    move, moved = os.replace, []

    def stop(source, target):
        if "Maps_HI" in str(target) and ".partial" not in str(target):
            if len(moved) == calls:
                raise KeyboardInterrupt
            moved.append(target)
        move(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_mock(tmp_path, **SMALL, seed=1)
    monkeypatch.undo()
    seen = []
    write_mock(tmp_path, **SMALL, seed=1, resume=True, progress=lambda stage, *counts: seen.append(counts))
    assert seen == [(4, 4)]
    assert contents(tmp_path) == contents(finished[0].parent)


def test_an_interrupted_replacement_keeps_the_old_files_until_it_is_resumed(tmp_path):
    write_mock(tmp_path, **SMALL, seed=0)
    before = contents(tmp_path)

    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mock(tmp_path, **SMALL, seed=1, overwrite=True, progress=interrupt)
    assert {name: data for name, data in contents(tmp_path).items() if not name.startswith(".")} == before
    write_mock(tmp_path, **SMALL, seed=1, resume=True)
    after = contents(tmp_path)
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)


def test_resuming_what_never_began_begins(finished, tmp_path):
    write_mock(tmp_path, **SMALL, seed=1, resume=True)
    assert contents(tmp_path) == contents(finished[0].parent)


def test_existing_files_are_kept_unless_overwrite_is_asked_for(finished):
    before = contents(finished[0].parent)
    for resume in (False, True):
        with pytest.raises(InputError, match=r"Maps_HI_MockUniformUV.*overwrite.*Received: an existing file"):
            write_mock(finished[0].parent, **SMALL, seed=2, resume=resume)
    assert contents(finished[0].parent) == before


def test_a_disk_that_is_full_is_named_and_the_work_is_kept(finished, tmp_path):
    """A limit on file sizes stands in for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Room for the card and for two and a half simulations.
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 + 5 * 15 * 64 * 4 // 2, limits[1]))
    try:
        with pytest.raises(InputError, match=r"Maps_HI_MockUniformUV.*able to write.*resume.*Received: File too large"):
            write_mock(tmp_path, **SMALL, seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    seen = []
    write_mock(tmp_path, **SMALL, seed=1, resume=True, progress=lambda stage, *counts: seen.append(counts))
    assert seen[0] == (2, 4)
    assert contents(tmp_path) == contents(finished[0].parent)


def test_damaged_settings_are_named(tmp_path):
    (tmp_path / ".Maps_HI_MockUniformUV_LH_z=6.00.partial.json").write_text("{")
    with pytest.raises(InputError, match="partial.json: expected the settings of the interrupted call. Received"):
        write_mock(tmp_path, **SMALL, resume=True)


def interrupted_after(done_simulations, folder):
    """A call that is interrupted, and the maps that it left."""

    def interrupt(stage, done, total):
        if done == done_simulations:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mock(folder, **SMALL, seed=1, progress=interrupt)
    return next(folder.glob(".*.partial.npy"))


@pytest.mark.parametrize("damage", [lambda b: b + b, lambda b: b[:-10] + b"\x01" + b[-9:], lambda b: b[:-10]])
def test_maps_that_were_damaged_are_made_again(finished, tmp_path, damage):
    partial = interrupted_after(2, tmp_path)
    whole = partial.read_bytes()
    partial.write_bytes(damage(whole))
    seen = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        write_mock(tmp_path, **SMALL, seed=1, resume=True, progress=lambda stage, *counts: seen.append(counts[0]))
    # What was only added to is cut off, and nothing is lost.
    is_longer = len(damage(whole)) > len(whole)
    assert [str(w.message).partition("has not ")[2] for w in caught] == (
        [] if is_longer else ["the maps that were written, from simulation 1 on. They are made again."]
    )
    assert seen[0] == (2 if is_longer else 1)
    assert contents(tmp_path) == contents(finished[0].parent)


def test_maps_that_begin_otherwise_are_not_continued(tmp_path):
    """As after a copy whose parts changed places: the maps would be those of no parameters."""
    partial = interrupted_after(1, tmp_path)
    content = partial.read_bytes()
    partial.write_bytes(content[1000:] + content[:1000])
    with pytest.raises(InputError, match=r"partial.npy: expected the beginning of maps of these settings.*Received"):
        write_mock(tmp_path, **SMALL, seed=1, resume=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="able to write.*Received: Permission denied"):
        write_mock(tmp_path / "out", **SMALL)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="file: expected a folder, or a path that does not exist. Received: a file"):
        write_mock(tmp_path / "file", **SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"simulations": 0}, "simulations.*Received: 0"),
        ({"processes": 0}, "processes.*Received: 0"),
        ({"seed": -3}, "seed.*Received: -3"),
        ({"variant": "reionized"}, "variant to be one of.*Received: 'reionized'"),
        ({"set_name": "EX"}, "set_name to be one of.*Received: 'EX'"),
        ({"set_name": "1P"}, "one more than a multiple of 12.*Received: 4"),
        ({"map_size": 7}, "map_size.*Received: 7"),
        ({"mesh_size": 12}, "mesh_size.*Received: 12"),
    ],
)
def test_wrong_input_writes_nothing(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        write_mock(tmp_path / "out", **(SMALL | change))
    assert not (tmp_path / "out").exists()


def test_latin_hypercube_covers_the_prior_of_all_parameters():
    theta = set_parameters("LH", 50, 0, UNIFORM)
    unit = (theta[:, :2] - (0.1, 0.6)) / 0.4
    logs = np.log(theta[:, 2:] / (0.25, 0.25, 0.5, 0.5)) / np.log((16, 16, 4, 4))
    slices = np.sort(np.concatenate([unit, logs], axis=1) * 50, axis=0)
    # Rounding to five decimals moves the smallest A, 0.25, by 5e-6 / 0.25 / ln(4 / 0.25) * 50 slices.
    np.testing.assert_allclose(slices - np.arange(50)[:, None], 0.5, atol=0.5 + 4e-4)
    np.testing.assert_array_equal(theta, np.round(theta, 5))
    assert not np.any(theta == set_parameters("LH", 50, 0, VARIANTS["bubbles"]))
    assert not np.any(theta == set_parameters("LH", 50, 1, UNIFORM))


def test_fiducial_set_differs_in_its_seeds_only():
    np.testing.assert_array_equal(set_parameters("CV", 3, 0, UNIFORM), [[0.3, 0.8, 1, 1, 1, 1]] * 3)
    seeds = [tuple(s) for v in VARIANTS.values() for name in ("LH", "CV") for s in simulation_seeds(name, 3, 0, v)]
    assert len(set(seeds)) == 12


def test_one_parameter_at_a_time():
    theta = set_parameters("1P", 61, 0, UNIFORM)
    assert theta[0].tolist() == [0.3, 0.8, 1, 1, 1, 1]
    for parameter in range(6):
        block = theta[1 + 10 * parameter : 11 + 10 * parameter]
        np.testing.assert_array_equal(
            np.delete(block, parameter, axis=1), np.delete(theta[:1], parameter, axis=1).repeat(10, 0)
        )
    assert theta[1:11, 0].tolist() == [0.1, 0.14, 0.18, 0.22, 0.26, 0.34, 0.38, 0.42, 0.46, 0.5]
    np.testing.assert_allclose(theta[21:31, 2], 4.0 ** (np.array([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]) / 5), atol=5e-6)
    assert len({tuple(seed) for seed in simulation_seeds("1P", 61, 0, UNIFORM)}) == 1
    assert set_parameters("1P", 13, 0, UNIFORM)[1:3, 0].tolist() == [0.1, 0.5]


def test_command_line(finished, tmp_path):
    def higlow(*arguments):
        result = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path), "--simulations", "4", *arguments])
        return result.exit_code, " ".join((result.stdout + result.stderr).split())

    mock = ("--suite", "mock", "--size", "8", "--mesh-size", "16", "--processes", "1", "--seed", "1")
    assert higlow(*mock, "--set", "LH", "--variant", "uniform-background")[0] == 0
    assert contents(tmp_path) == contents(finished[0].parent)
    for arguments, sentence in {
        mock: "Received: an existing file",
        (*mock, "--variant", "none"): "variant to be one of",
        (*mock, "--maps-per-simulation", "3"): "--maps-per-simulation with --suite lognormal only",
        (*mock, "--resume", "--overwrite"): "Received: both",
        ("--set", "CV"): "--set with --suite mock only",
        ("--resume",): "--resume with --suite mock only",
        ("--mesh-size", "32"): "--mesh-size with --suite mock only",
    }.items():
        code, text = higlow(*arguments)
        assert code == 2
        assert sentence in text
    assert contents(tmp_path) == contents(finished[0].parent)


@pytest.mark.slow
def test_statistics_are_those_of_the_reference_maps(shared_data):
    """The uniform background beside maps of the same physics from other code, at the same parameters."""
    reference = np.load(shared_data / "pm_mock" / "Maps_HI_PMRahmati_LH_z=6.00.npy", mmap_mode="r")
    theta = np.loadtxt(shared_data / "pm_mock" / "params_LH_PMRahmati.txt")
    rows = range(0, 300, 25)
    ours = np.log10([simulate(theta[row], [9, row]) for row in rows])
    theirs = np.log10([reference[15 * row : 15 * row + 15] for row in rows])
    gap = ours.mean(axis=(1, 2, 3)) - theirs.mean(axis=(1, 2, 3))
    spread = ours.std(axis=(1, 2, 3)) / theirs.std(axis=(1, 2, 3)) - 1
    # Cosmic variance: of other phases, four standard errors.
    assert abs(gap.mean()) < 4 * gap.std(ddof=1) / np.sqrt(len(rows))
    assert abs(spread.mean()) < 4 * spread.std(ddof=1) / np.sqrt(len(rows))
