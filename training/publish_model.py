"""Publishes a calibrated run into saved_models/NAME.

    python training/publish_model.py RUN NAME metrics.json [more.json] [--changes changes.txt] [--rivals rivals.json]

changes.txt has a sentence a line: what is other than in models that were published before. rivals.json is that of
`python -m benchmarks.rivals`.
"""

import argparse
import tempfile
from pathlib import Path

from higlow_tf.data import load_cmd
from higlow_tf.data.lognormal import write_lognormal
from higlow_tf.data.mock import write_mock
from higlow_tf.diagnostics import read_metrics
from higlow_tf.models import load_model
from higlow_tf.serving.publish import publish_model
from higlow_tf.text_files import read_json

__all__ = []


def of_one_map(metrics):
    """Those of repaired posteriors of single maps."""
    return {name: metric for name, metric in metrics.items() if not name.startswith(("raw_", "joint_"))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("name")
    parser.add_argument("metrics", nargs="+")
    parser.add_argument("--changes", type=Path)
    parser.add_argument("--rivals", type=Path)
    options = parser.parse_args()
    metrics = {
        key: metric for file in options.metrics for key, metric in read_metrics(file).items()
    }  # the last file counts
    changes = options.changes.read_text(encoding="utf-8").splitlines() if options.changes else ()
    rows = read_json(options.rivals, "the rivals of a comparison")["rivals"] if options.rivals else {}
    rivals = {row["title"]: of_one_map(row["metrics"]) for row in rows.values() if not row["is_ours"]}
    with tempfile.TemporaryDirectory() as folder:
        # higlow simulate --suite SUITE --simulations 4 --seed 2211: one map of each, at parameters all over the prior.
        model = load_model(options.run)
        write_suite = write_lognormal if model.split["suite"] == "Lognormal" else write_mock
        maps, params, *_ = write_suite(folder, simulations=4, map_size=model.map_size, seed=2211)
        examples = load_cmd(maps, params).select(range(0, 60, 15))
        how = {"changes": changes, "rivals": rivals, "overwrite": True}
        print(publish_model(options.run, Path("saved_models") / options.name, examples, metrics, **how))
