"""Every form of file that users have: trained on by higlow train, and read the same way for evaluation and audit."""

import json

import h5py
import numpy as np
import pytest
import yaml
from smallest_model import SETTINGS

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.models import load_model
from higlow_tf.runs import load_data_like, load_maps_like, maps_for_testing

NUM_SIMULATIONS, NUM_MAPS = 12, 4
SHORT = ("--preset", "tiny", "--epochs", "1", "--batch-size", "16", *SETTINGS)
NAMES = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")


def random_maps(shape, seed=0):
    return (10.0 ** np.random.default_rng(seed).normal(6.5, 0.4, shape)).astype(np.float32)


def random_theta():
    rng = np.random.default_rng(0)
    return rng.uniform([0.1, 0.6, 0.3, 0.3, 0.6, 0.6], [0.5, 1.0, 3.9, 3.9, 1.9, 1.9], (NUM_SIMULATIONS, 6)).round(4)


def table(folder, name="params_LH_Toy.txt"):
    np.savetxt(folder / name, random_theta(), header=" ".join(NAMES))
    return folder / name


def maps(folder, name="Maps_HI_Toy_LH_z=0.00.npy", size=16, seed=0):
    np.save(folder / name, random_maps((NUM_SIMULATIONS * NUM_MAPS, size, size), seed))
    return folder / name


def two_dimensional_maps_with_zeros(folder):
    file = maps(folder, size=20)
    pixels = np.load(file)
    pixels[::5, :5, :5] = 0.0
    np.save(file, pixels)
    return ("--maps", file, "--params", table(folder), "--map-size", 16), {"native_size": 20, "map_size": 16}


def three_dimensional_grids(folder):
    np.save(folder / "Grids_HI_Toy_LH_16_z=0.5.npy", random_maps((NUM_SIMULATIONS, 16, 16, 16)))
    arguments = ("--maps", folder / "Grids_HI_Toy_LH_16_z=0.5.npy", "--params", table(folder), "--slab-thickness", 12.5)
    return arguments, {"num_maps": 6 * NUM_SIMULATIONS, "slab_thickness_mpc_h": 12.5, "redshift": 0.5}


def images_of_the_papers(folder):
    rows = [f"LH_{i},{','.join(map(str, row))},{i}" for i, row in enumerate(random_theta())]
    (folder / "CAMELs_params.csv").write_text("\r\n".join(["Name,,,,,,,seed", *rows]))
    file = folder / "Images_HI_IllustrisTNG_z=5.99.npy"
    np.save(file, random_maps((NUM_SIMULATIONS * 15, 16, 16)))
    arguments = ("--maps", file, "--params", folder / "CAMELs_params.csv", "--parameters", "all")
    return arguments, {"redshift": 5.99, "parameters": list(NAMES)}


def hdf5_with_parameters(folder):
    with h5py.File(folder / "own.h5", "w") as file:
        file["maps"] = random_maps((NUM_SIMULATIONS * NUM_MAPS, 16, 16))
        file["theta"] = random_theta()
        file.attrs.update({"parameters": list(NAMES), "box_size_mpc_h": 50.0})
    arguments = ("--maps", folder / "own.h5", "--parameters", "sigma_8,A_SN1", "--nuisance", "none", "--box-size", 50)
    return arguments, {"parameters": ["sigma_8", "A_SN1"], "box_size_mpc_h": 50.0}


def two_fields(folder):
    files = [maps(folder), maps(folder, "Maps_Mgas_Toy_LH_z=0.00.npy", seed=1)]
    return ("--maps", files[0], "--maps", files[1], "--params", table(folder)), {
        "field": ["HI", "Mgas"],
        "num_channels": 2,
    }


def raw_table_and_own_prior_in_yaml(folder):
    lines = [f"SB28_{i} {row[0]} {row[1]} {3.6 * row[2]} {i}" for i, row in enumerate(random_theta())]
    path = folder / "CosmoAstroSeed_Toy_L25n256_SB28.txt"
    path.write_text("\n".join(["#Name Omega0 sigma8 WindEnergyIn1e51erg seed", *lines]))
    wind = {"name": "WindEnergyIn1e51erg", "low": 0.9, "high": 14.4, "transform": "log"}
    data = {"maps": [str(maps(folder, "Maps_HI_Toy_SB28_z=0.00.npy"))], "params": str(path)}
    data |= {"parameters": ["Omega_m", wind], "redshift": 0.0}
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": data}))
    # sigma_8 is in the table and has a known prior: it is a nuisance parameter.
    names = ["Omega_m", "WindEnergyIn1e51erg", "sigma_8"]
    return (folder / "config.yaml",), {"parameters": names, "redshift": 0.0, "set": "SB28"}


FORMS = [
    two_dimensional_maps_with_zeros, three_dimensional_grids, images_of_the_papers, hdf5_with_parameters, two_fields,
    raw_table_and_own_prior_in_yaml,
]  # fmt: skip


@pytest.fixture(scope="module")
def train_once(higlow, tmp_path_factory):
    """Trains on a form, once for all tests: folder with the files and the run, arguments, expected facts."""
    done = {}

    def train(form):
        if form not in done:
            folder = tmp_path_factory.mktemp(form.__name__)
            arguments, facts = form(folder)
            result = higlow("train", *SHORT, *arguments, "--out", folder / "run")
            assert result.exit_code == 0, result.stderr
            done[form] = folder, arguments, facts, result
        return done[form]

    return train


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_trained_on_and_recorded(train_once, form):
    folder, _, facts, result = train_once(form)
    record = json.loads((folder / "run" / "split.json").read_text())
    record["parameters"] = [spec["name"] for spec in record["parameters"]]
    assert {name: record[name] for name in facts} == facts
    assert f"{record['num_maps']} maps of 16x16 pixels" in result.stdout
    assert len(record["simulation_hashes"]["train"]) == len(record["simulations"]["train"])
    assert load_model(folder / "run").num_channels == facts.get("num_channels", 1)


def only_files(arguments):
    """The maps and the table: everything else is known to the run."""
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    return [file for name, file in pairs if name == "--maps"], dict(pairs).get("--params")


@pytest.mark.parametrize("form", FORMS[:-1])
def test_the_file_of_a_run_is_read_as_it_was_for_training(train_once, form):
    folder, arguments, _, _ = train_once(form)
    record = json.loads((folder / "run" / "split.json").read_text())
    data = load_data_like(record, *only_files(arguments))
    assert data.content_hash() == record["content_hash"]
    test, label = maps_for_testing(record, data)
    assert label == f"the {test.num_simulations} test simulations of the file that was trained on"
    assert test.simulation_indices.tolist() == record["simulations"]["test"]
    assert test.zero_pixels == 0


def test_audit_says_what_was_trained_on(higlow, train_once):
    folder, _, _, _ = train_once(two_dimensional_maps_with_zeros)
    text = higlow("audit", folder / "run").stdout
    record = json.loads((folder / "run" / "split.json").read_text())
    total = sum(record["zero_pixels"].values())
    # 4 x 4 of the 16 x 16 pixels lie in the 5 x 5 empty ones of the 20 x 20.
    assert total == 16 * len(range(0, NUM_SIMULATIONS * NUM_MAPS, 5))
    assert f"{total} of {NUM_SIMULATIONS * NUM_MAPS * 256} pixels" in text
    for words in ("Toy, LH, 0.0", "HI", "regridded from 20", "25 Mpc/h", "sigma_8 from 0.6 to 1", "floored at"):
        assert words in text, words


def write_part(folder, record, subset, change=lambda maps: maps):
    """The maps of one simulation of a subset, in reverse order and under another name."""
    row = record["simulations"][subset][0]
    pixels = np.load(folder / "Maps_HI_Toy_LH_z=0.00.npy")[row * NUM_MAPS : (row + 1) * NUM_MAPS]
    np.save(folder / "part.npy", change(pixels[::-1]))
    np.savetxt(folder / "part.txt", random_theta()[row : row + 1], header=" ".join(NAMES))
    return "--maps", folder / "part.npy", "--params", folder / "part.txt"


def test_training_maps_are_known_by_content_and_label_every_number(higlow, train_once):
    folder, _, _, _ = train_once(two_dimensional_maps_with_zeros)
    record = json.loads((folder / "run" / "split.json").read_text())
    files = write_part(folder, record, "train")
    out = ("--out", folder / "labelled", "--samples", 4)
    refused = higlow("evaluate", folder / "run", *files, *out)
    assert refused.exit_code == 2
    assert f"{NUM_MAPS} of {NUM_MAPS} maps are training or validation maps" in refused.stderr
    assert "No: the run has learned" in higlow("audit", folder / "run", *files).stdout
    result = higlow("evaluate", folder / "run", *files, *out, "--allow-training-maps")
    assert result.exit_code == 0, result.stderr
    metrics = json.loads((folder / "labelled" / "metrics.json").read_text())
    numbers = metrics.get("metrics", metrics)
    assert [name for name in numbers if "nll" in name] == ["on_training_maps_nll_nats_per_pixel"]
    assert "these are test maps" in higlow("audit", folder / "run", *write_part(folder, record, "test")).stdout


def test_other_maps_of_training_simulations_are_refused(higlow, train_once):
    """The same suite, set and parameters, at another redshift: other pixels, the same simulations."""
    folder, _, _, _ = train_once(two_dimensional_maps_with_zeros)
    table_file = folder / "params_LH_Toy.txt"
    files = ("--maps", maps(folder, "Maps_HI_Toy_LH_z=1.00.npy", size=20, seed=5), "--params", table_file)
    record = json.loads((folder / "run" / "split.json").read_text())
    with pytest.warns(InputWarning, match="is at redshift 1, and the run was trained at 0"):
        data = load_data_like(record, files[1], table_file)
    number = NUM_MAPS * sum(len(record["simulations"][name]) for name in ("train", "validation"))
    with pytest.raises(InputError, match=f"Received: {number} of {NUM_MAPS * 12} maps are training or validation"):
        maps_for_testing(record, data)
    assert "by suite, set and parameters" in higlow("audit", folder / "run", *files).stdout
    gas = maps(folder, "Maps_Mgas_Toy_LH_z=0.00.npy", size=20)
    result = higlow("audit", folder / "run", "--maps", gas, "--params", folder / "params_LH_Toy.txt")
    assert result.exit_code == 2
    assert "expected maps of HI, as the run was trained on. Received: Mgas" in result.stderr


def test_a_changed_split_is_noticed(train_once):
    folder, arguments, _, _ = train_once(two_dimensional_maps_with_zeros)
    record = json.loads((folder / "run" / "split.json").read_text())
    data = load_data_like(record, *only_files(arguments))
    record["simulations"]["test"] += record["simulations"]["train"][:1]
    with pytest.raises(InputError, match="split.json: expected the split that the run was trained with"):
        maps_for_testing(record, data)


def test_maps_without_parameters_are_read_like_those_of_the_run(train_once):
    folder, _, _, _ = train_once(two_dimensional_maps_with_zeros)
    model = load_model(folder / "run")
    found = load_maps_like(model.split, folder / "Maps_HI_Toy_LH_z=0.00.npy")
    assert found.maps.shape == (NUM_SIMULATIONS * NUM_MAPS, 16, 16)
    assert np.all(found.maps > 0)
    middle = np.tile(model.parameters.middle, (4, 1))
    assert np.isfinite(model.log_prob(found.maps[:4], middle)).all()


def test_data_that_cannot_be_read_are_refused_by_training(higlow, tmp_path):
    file = maps(tmp_path)
    for arguments, words in [
        (("--maps", file), "no params"),
        (
            ("--maps", file, "--params", table(tmp_path), "--map-size", 32),
            "expected maps of 32 pixels a side. Received: 16",
        ),
        (("--maps", file, "--params", table(tmp_path), "--parameters", "info.txt"), "info.txt could not be read"),
        (("--maps", file, "--params", table(tmp_path), "--map-size", 0), "data.map_size"),
    ]:
        result = higlow("train", *SHORT, *arguments, "--out", tmp_path / "run")
        assert result.exit_code == 2
        assert words in result.stderr
    assert not (tmp_path / "run").exists()
