"""Asks a SavedModel through TensorFlow's C API, in a fresh process without TensorFlow's Python package."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

__all__ = ["ask_through_the_c_api"]


def ask_through_the_c_api(served, requests, folder):
    """What the model answers to pairs (signature, inputs), one after the other in one session.

    Args:
        served: With the `path` of the SavedModel.
        requests: The pairs.
        folder: An empty folder, for the arrays.

    Returns:
        For each request its outputs by name, or TensorFlow's message.
    """
    libraries = sorted(Path(tf.sysconfig.get_lib()).glob("libtensorflow_cc.*"))
    if not libraries:
        pytest.skip("this TensorFlow has no libtensorflow_cc")
    saved_model = saved_model_pb2.SavedModel.FromString((served.path / "saved_model.pb").read_bytes())
    signatures = saved_model.meta_graphs[0].signature_def
    listed = []
    for number, (signature, inputs) in enumerate(requests):
        files = {}
        for name, value in inputs.items():
            np.save(folder / f"{number}_{name}.npy", value)
            files[signatures[signature].inputs[name].name] = f"{number}_{name}.npy"
        outputs = {name: info.name for name, info in signatures[signature].outputs.items()}
        listed.append({"inputs": files, "outputs": outputs})
    (folder / "requests.json").write_text(json.dumps(listed))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(Path(__file__).with_name("c_api_client.py")), str(libraries[0]), str(served.path)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    messages = json.loads((folder / "messages.json").read_text())
    with np.load(folder / "outputs.npz") as arrays:
        return [
            messages[number] or {name: arrays[f"{number}/{name}"] for name in listed[number]["outputs"]}
            for number in range(len(listed))
        ]
