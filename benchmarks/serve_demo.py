"""Serves a model, asks it over both protocols, and draws what came back.

    python benchmarks/serve_demo.py [--model saved_models/compact_mock] [--out serve_demo.png]

`make serve-demo` runs it. Upper row: the model's example maps; lower row: maps that the server drew at their parameters. The
parameters of the examples are inferred by the server, too.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from server_process import ServerProcess

from higlow_tf.plotting import STYLE, plot_map_panel
from higlow_tf.reports.picture import save_picture
from higlow_tf.serving import Client

__all__ = ["main"]

SAVED_MODELS = Path(__file__).parents[1] / "saved_models"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SAVED_MODELS / "compact_mock", help="folder of a published model")
    parser.add_argument("--out", type=Path, default=Path("serve_demo.png"), help="the picture")
    arguments = parser.parse_args()
    with np.load(arguments.model / "examples.npz", allow_pickle=False) as examples:
        hi_maps, theta = examples["hi_maps"], examples["theta"]
    card = arguments.model / "1" / "assets.extra" / "model_card.json"
    print(f"Starting a server of {arguments.model} ...", flush=True)
    with tempfile.TemporaryDirectory() as folder, ServerProcess([arguments.model], Path(folder) / "log") as server:
        print(f"REST: {server.rest}   gRPC: {server.grpc}")
        name = arguments.model.resolve().name
        with Client(server.rest, name, card=card) as rest, Client(server.grpc, name, card=card) as grpc:
            samples = rest.sample(theta, seed=0)
            if not np.array_equal(samples, grpc.sample(theta, seed=0)):
                raise RuntimeError("Expected the same maps over REST and gRPC. Received: others.")
            print(f"{len(samples)} maps over REST and over gRPC: equal, bit for bit")
            posterior = grpc.posterior(hi_maps)
        print("Stopping it ...", flush=True)
    print_posterior(posterior, theta)
    draw(hi_maps, samples, theta, rest.parameters.labels, arguments.out)
    print(f"Wrote {arguments.out}")


def print_posterior(posterior, theta):
    print(f"{'map':>3} {'parameter':>10} {'truth':>8} {'mean':>8} {'sd':>8}")
    for row in range(len(posterior)):
        for column, name in enumerate(posterior.parameters):
            numbers = (theta[row, column], posterior.mean[row, column], posterior.sd[row, column])
            print(f"{row:>3} {name:>10} " + " ".join(f"{number:8.4f}" for number in numbers))


def draw(hi_maps, samples, theta, labels, out):
    figure, axes = STYLE.new_figure(2, len(hi_maps), size_in=(2.2 * len(hi_maps), 4.6))
    plot_map_panel(axes, hi_maps, samples, theta, parameter_labels=labels, row_labels=("example", "served"))
    save_picture(figure, out, overwrite=True)


if __name__ == "__main__":
    main()
