# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Serve, and go through a million maps
#
# Others want to use your model, and they do not want your Python. This page
#
# 1. exports a model, and loads it again with TensorFlow alone;
# 2. starts `higlow serve` and asks it over HTTP, as a web page or a pipeline would;
# 3. sends files of maps through `higlow batch`, and reads the Parquet that comes out.
#
# It needs the extras `serve` and `batch`. Where one is missing, its part says so and is left out. It takes about four minutes on
# two cores; most of them are the server's start.

# %% [markdown]
# ## Install
#
# In a checkout with the package installed (`pip install .`) there is nothing to do. Elsewhere, on Colab for example, write
# the git URL of the project into `REPOSITORY`. You need Python 3.11 to 3.13.

# %%
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = ""  # the git URL of the project, for Colab

if REPOSITORY:
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "higlow_tf_checkout"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "./higlow_tf_checkout"], check=True)

# %%
# %matplotlib inline

import contextlib
import json
import shutil
import socket
import time
import urllib.request
from importlib.util import find_spec

import numpy as np
from IPython.display import display

import higlow_tf as hg
from higlow_tf.plotting import STYLE, plot_map_panel

SMALL = bool(os.environ.get("HIGLOW_NOTEBOOK_SMALL"))  # the smallest sizes, for tests
num_files, maps_per_file = (2, 4) if SMALL else (4, 24)
out = Path("serve_and_batch")
shutil.rmtree(out, ignore_errors=True)
out.mkdir()

folders = [Path(root) / "saved_models" / "compact_mock" for root in ("..", ".", "higlow_tf_checkout")]
published = next(folder for folder in folders if folder.is_dir())
higlow = [sys.executable, "-c", "from higlow_tf.cli.app import main; main()"]  # the command `higlow` of this Python

can_serve = all(find_spec(name) for name in ("ray", "tensorflow_serving", "starlette"))
can_batch = all(find_spec(name) for name in ("ray", "pyarrow"))
for name, can in (("serve", can_serve), ("batch", can_batch)):
    print(
        f"extra {name}: {'installed' if can else 'missing. For its part of this page, pip install ' + repr(f'higlow_tf[{name}]')}"
    )

# %% [markdown]
# ## 1. Export
#
# An exported model is a SavedModel: a graph and its weights. It has three questions that one can ask (*signatures*), and a card
# that says what the model was trained on and what it must not be used for.

# %%
model = hg.load_model(published / "run")
model.compile(jit_compile=False)
hg.serving.export_model(model, out / "my_model")
print(*sorted(path.relative_to(out).as_posix() for path in (out / "my_model").rglob("*") if path.is_file()), sep="\n")

# %% [markdown]
# Who loads it needs TensorFlow, and nothing of ours. A fresh process shows it: it imports neither this package, nor
# Keras, nor TensorFlow Probability.

# %%
program = """
import sys
import tensorflow as tf

served = tf.saved_model.load(sys.argv[1])
for name, signature in served.signatures.items():
    inputs = {key: spec.shape.as_list() for key, spec in signature.structured_input_signature[1].items()}
    print(f"{name:16s} {inputs} -> {', '.join(signature.structured_outputs)}")
print("higlow_tf" in sys.modules, "tensorflow_probability" in sys.modules)
"""
print(subprocess.run([sys.executable, "-c", program, out / "my_model" / "1"], capture_output=True, text=True).stdout)

# %% [markdown]
# The folder `1` is the version. A better model becomes `2` beside it, and a running server changes over without a pause.
#
# ## 2. Serve
#
# `higlow serve` speaks the REST and gRPC of TensorFlow Serving, so that every client of it works. In a terminal:
#
#     higlow serve serve_and_batch/my_model
#
# Here it runs beside the notebook. `Ready.` is its word for being there.


# %%
def free_port():
    with socket.socket() as test:
        test.bind(("127.0.0.1", 0))
        return test.getsockname()[1]


@contextlib.contextmanager
def server(folder):
    """A server of a model as long as the block runs; gives its address."""
    port, log = free_port(), out / "server.log"
    command = [*higlow, "serve", str(folder), "--port", str(port), "--grpc-port", str(free_port())]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    try:
        while "Ready." not in log.read_text():
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


# %% [markdown]
# Three questions: one with nothing but the standard library, as from any language; one with our client; and one that
# is wrong.

# %%
theta = np.array([[0.2, 0.9], [0.3, 0.8], [0.4, 0.7], [0.3, 0.8]])
if can_serve:
    with server(out / "my_model") as address, hg.serving.Client(address, "my_model") as client:
        question = {
            "signature_name": "sample",
            "instances": [{"theta": [0.3, 0.8], "seed": [0, 1], "temperature": 1.0}],
        }
        request = urllib.request.Request(f"{address}/v1/models/my_model:predict", json.dumps(question).encode())
        with urllib.request.urlopen(request) as answer:
            by_hand = np.array(json.load(answer)["predictions"][0]["hi_map"])
        served = client.sample(theta, seed=0)
        try:
            client.sample([[0.3, 0.8, 1.0]], seed=0)
        except hg.serving.ServerError as error:
            refusal = str(error)
        seconds = {}
        for rows in (1, 16):
            start = time.perf_counter()
            client.sample(np.tile(theta[1], (rows, 1)), seed=1)
            seconds[rows] = time.perf_counter() - start
    ours = model.sample(theta, seed=0).numpy()
    print(f"server and notebook draw the same maps to {np.abs(served / ours - 1).max():.0e}")
    print(f"row 1 by hand: {np.abs(by_hand / served[1] - 1).max():.0e} from that of the client")
    print(f"a wrong question: {refusal}")
    print(f"one map {1000 * seconds[1]:.0f} ms, 16 maps {1000 * seconds[16]:.0f} ms, on this machine at that moment")
else:
    print("left out: pip install 'higlow_tf[serve]'")

# %% [markdown]
# Row i of a request with seed 0 is drawn with the pair (0, i), wherever it is drawn: notebook, server and batch job
# give the same map. That is why a request may be repeated after a lost connection, and cut into pieces.

# %%
if can_serve:
    figure, axes = STYLE.new_figure(2, 4, size_in=(9.0, 4.6))
    plot_map_panel(axes, ours, served, theta, row_labels=("notebook", "server"))
    display(figure)

# %% [markdown]
# ## 3. A batch job
#
# A server is for questions that come one by one. For a folder of files there is `higlow batch`: it shares the files among
# all cores, or all machines of a Ray cluster, and writes Parquet. A job that is killed goes on where it was; a map that cannot be
# read, or that is not positive, has NaN in its own row and harms nobody.
#
# Some files of maps at parameters that we pretend not to know. One map has a bad pixel:

# %%
space = model.parameters
truth = space.sample_uniform(num_files * maps_per_file, seed=3)
hi_maps = model.sample(truth, seed=5).numpy()
hi_maps[1, 10, 10] = -1.0
for number, part in enumerate(np.split(hi_maps, num_files)):
    np.save(out / f"night_{number}.npy", part)

# %% [markdown]
# First ask what it would cost (`--estimate`), then do it. In a terminal it is the line that is printed:

# %%
command = ["batch", str(out / "my_model" / "1"), "--task", "posterior", "--maps", str(out / "night_*.npy")]
command += ["--out", str(out / "posteriors"), "--actors", "2"]
if can_batch:
    print("higlow", *command)
    done = subprocess.run([*higlow, *command], capture_output=True, text=True)
    print(*[line for line in done.stdout.splitlines() if line.startswith(("Rows", "Outside", "Unlike"))], sep="\n")
else:
    print("left out: pip install 'higlow_tf[batch]'")

# %% [markdown]
# Parquet is read by everything: Pandas, Polars, DuckDB, Spark. Here with PyArrow:

# %%
if can_batch:
    import pyarrow.parquet as pq

    table = pq.read_table(out / "posteriors" / "parts")
    print(*[f"{field.name}: {field.type}" for field in table.schema if field.name != "covariance"], sep="\n")

# %% [markdown]
# The rows know their file and their place in it. Beside the truth that we have hidden:

# %%
if can_batch:
    columns = {name: table[name].to_numpy() for name in table.column_names if name != "covariance"}
    place = {name: number for number, name in enumerate(f"night_{number}.npy" for number in range(num_files))}
    rows = [place[Path(file).name] * maps_per_file for file in table["file"].to_pylist()] + columns["index_in_file"]
    figure, axes = STYLE.new_figure(1, 2, size_in=(8.4, 4.0))
    for ax, name, label in zip(axes, space.names, space.labels, strict=True):
        true = truth[rows, space.names.index(name)]
        ax.errorbar(true, columns[f"{name}_mean"], columns[f"{name}_sd"], fmt="o", color=STYLE.generated, alpha=0.7)
        ax.axline((true.mean(), true.mean()), slope=1, color="black", linewidth=0.9)
        ax.set_xlabel(f"${label}$, true")
        ax.set_ylabel(f"${label}$, posterior mean and sd")
    display(figure)
    bad = np.isnan(columns["Omega_m_mean"])
    print(
        f"{len(rows)} rows; NaN: {bad.sum()}, the map with the bad pixel: {table['file'].to_pylist()[bad.argmax()][-11:]}"
    )
    print(f"typicality below 0.01: {(columns['typicality'] < 0.01).sum()} of {(~bad).sum()} maps")

# %% [markdown]
# The posteriors of a batch job have the stored calibration, and each row has its typicality. Look at this column before you
# look at the others.
#
# Clusters, addresses such as `s3://`, what a million maps cost: page "Many maps" of the documentation. Ports, limits,
# several versions, gRPC: page "Serving a model".
