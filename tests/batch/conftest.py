"""An exported model of 8 x 8 maps, files of maps for it, and what the model itself answers."""

from types import SimpleNamespace

import numpy as np
import pytest

for name in ("ray", "pyarrow"):
    pytest.importorskip(name, reason='the extra "batch" is missing')

from toy_models import TINY_8, make_maps  # noqa: E402 - nothing of the room can be imported without the extra

from higlow_tf.batch import read_served_model  # noqa: E402
from higlow_tf.models import ConditionalGlow  # noqa: E402
from higlow_tf.serving import export_model  # noqa: E402

CALIBRATION = {"tempering": 0.05, "widening": [0.01, 0.0], "num_symmetries": 1}


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The model and its export; weights are random, since fresh ones are trivial."""
    rng = np.random.default_rng(0)
    model = ConditionalGlow.from_preset("tiny", **TINY_8)
    for variable in model.trainable_variables:
        variable.assign_add(0.05 * rng.standard_normal(variable.shape).astype(np.float32))
    model.map_shift.assign([6.5])
    model.map_log_scale.assign([np.log(0.4)])
    model.compile(jit_compile=False)
    path = export_model(model, tmp_path_factory.mktemp("export") / "tiny", calibration=CALIBRATION)
    return SimpleNamespace(model=model, path=path, served=read_served_model(path))


@pytest.fixture
def files(tmp_path):
    """Two .npy files of 20 and 11 maps, of which one is not positive, and the table of their parameters."""
    maps, theta = make_maps(31, 1, seed=3)
    maps = maps.astype(np.float32)
    maps[4, 0, 0] = -1.0
    folder = tmp_path / "maps"
    folder.mkdir()
    np.save(folder / "a.npy", maps[:20])
    np.save(folder / "b.npy", maps[20:])
    params = tmp_path / "params.txt"
    np.savetxt(params, theta, header="Omega_m sigma_8")
    return SimpleNamespace(maps=maps, theta=theta, folder=folder, glob=str(folder / "*.npy"), params=params)
