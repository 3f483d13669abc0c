"""Publishes a calibrated run: python training/publish_model.py RUN NAME metrics.json [more.json], into saved_models/NAME."""

import sys
import tempfile
from pathlib import Path

from higlow_tf.data import load_cmd
from higlow_tf.data.lognormal import write_lognormal
from higlow_tf.data.mock import write_mock
from higlow_tf.diagnostics import read_metrics
from higlow_tf.models import load_model
from higlow_tf.serving.publish import publish_model

__all__ = []

if __name__ == "__main__":
    run, name, *metrics_files = sys.argv[1:]
    metrics = {
        key: metric for file in metrics_files for key, metric in read_metrics(file).items()
    }  # the last file counts
    with tempfile.TemporaryDirectory() as folder:
        # higlow simulate --suite SUITE --simulations 4 --seed 2211: one map of each, at parameters all over the prior.
        model = load_model(run)
        write_suite = write_lognormal if model.split["suite"] == "Lognormal" else write_mock
        maps, params, *_ = write_suite(folder, simulations=4, map_size=model.map_size, seed=2211)
        examples = load_cmd(maps, params).select(range(0, 60, 15))
        print(publish_model(run, Path("saved_models") / name, examples, metrics, overwrite=True))
