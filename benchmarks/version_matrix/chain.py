"""The chain, run by the interpreter of an environment: chain.py MODELS. Its last line is a record in JSON.

It imports the installed package alone, and nothing of the checkout. MODELS is the folder of published models.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

__all__ = []

_TOLERANCE = 1e-4  # of float32 sums in another order, relative to max(1, |value|)
_PUBLISHED = "compact_mock"


def main(models):
    """Runs the steps in their order, and stops at the first that fails; returns the exit code."""
    record = {"steps": [], "failed": None, "reason": None, "seconds": 0.0, "versions": {}}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        state = {"models": models}
        for step in STEPS:
            try:
                step(state)
            except Exception as error:
                traceback.print_exc()
                words = " ".join(str(error).split())[:200]
                record |= {"failed": step.__name__, "reason": f"{type(error).__name__}: {words}"}
                break
            record["steps"].append(step.__name__)
            print(f"{time.monotonic() - started:6.1f} s  {step.__name__}", flush=True)
        os.chdir(os.sep)
    record |= {"seconds": round(time.monotonic() - started, 1), "versions": state.get("versions", {})}
    print(json.dumps(record), flush=True)
    return int(record["failed"] is not None)


def imports(state):
    import higlow_tf as hg
    from higlow_tf.versions import versions

    state |= {"hg": hg, "versions": versions()}
    require("site-packages" in hg.__file__, f"expected the installed package. Received: {hg.__file__}")


def train(state):
    hg = state["hg"]
    maps, params = hg.data.lognormal.write_lognormal("data", simulations=12, map_size=16, maps_per_simulation=4)
    state["run"] = run = hg.runs.train(preset="tiny", maps=maps, params=params, nuisance="none", epochs=2, out="run")
    state |= {"model": run.model, "test": run.data("test")}
    require(len(run.history["val_loss"]) == 2, "expected two epochs")


def sample(state):
    maps = state["model"].sample({"Omega_m": 0.3, "sigma_8": 0.8}, count=2, seed=0).numpy()
    require(maps.shape == (2, 16, 16) and (maps > 0).all(), "expected two positive maps")
    require((maps[0] != maps[1]).any(), "expected two different maps")


def log_prob(state):
    model, test = state["model"], state["test"]
    state["log_prob"] = model.log_prob(test.maps, test.theta).numpy()
    require_close(model.log_prob_by_level(test.maps, test.theta).numpy().sum(axis=1), state["log_prob"])


def posterior(state):
    hg, model = state["hg"], state["model"]
    found = hg.inference.infer(model, state["test"].maps[:1], calibration=None)
    space = model.parameters
    require(((space.low < found.mean) & (found.mean < space.high)).all(), "expected a mean inside of the prior")
    require((found.sd > 0).all(), "expected a posterior with a width")


def save_and_load(state):
    hg, test = state["hg"], state["test"]
    hg.save_model(state["model"], "saved")
    require_close(hg.load_model("saved").log_prob(test.maps, test.theta).numpy(), state["log_prob"])


def export_and_load(state):
    import tensorflow as tf

    hg, test = state["hg"], state["test"]
    hg.serving.export_model(state["model"], "exported")
    served = tf.saved_model.load("exported/1").signatures["log_prob"]
    hi_map, theta = (tf.constant(values, tf.float32) for values in (test.maps, test.theta))
    require_close(served(hi_map=hi_map, theta=theta)["log_prob"].numpy(), state["log_prob"])


def published_model(state):
    """A model that was trained with other versions answers what it answered when it was published."""
    import numpy as np

    os.environ["HIGLOW_MODELS"] = state["models"]
    model = state["hg"].load_model(_PUBLISHED)
    model.compile(jit_compile=False)  # for four maps, compiling would take longer than computing
    folder = Path(state["models"], _PUBLISHED)
    examples = np.load(folder / "examples.npz", allow_pickle=False)
    expected = json.loads((folder / "reference.json").read_text(encoding="utf-8"))["log_prob"]
    require_close(model.log_prob(examples["hi_maps"], examples["theta"]).numpy(), expected)


def command_line(state):
    program = Path(sys.executable).with_name("higlow")
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    require(done.stdout.startswith(f"higlow_tf {state['versions']['higlow_tf']}\n"), done.stderr or done.stdout)
    require("devices: " in done.stdout, "expected the devices")


def require(condition, message):
    """An assertion that -O does not remove."""
    if not condition:
        raise RuntimeError(message)


def require_close(actual, expected):
    """The numbers agree within the tolerance."""
    import numpy as np

    error = np.max(np.abs(np.asarray(actual) - expected) / np.maximum(1.0, np.abs(expected)))
    require(error < _TOLERANCE, f"expected numbers that agree to {_TOLERANCE}. Received: {error:.1e}")


STEPS = (
    imports, train, sample, log_prob, posterior, save_and_load, export_and_load, published_model, command_line,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
