"""Maps by the thousand through an exported model: Ray Data in, Parquet out. It needs the extra `batch`.

A job is three calls: read the model, plan the parts, run them.

    model = hg.batch.read_served_model("saved_models/compact_mock/1")
    plan = hg.batch.plan_maps(model, ["data/Maps_*.npy"], params="data/params.txt")
    summary = hg.batch.run_batch(model, hg.batch.TaskSettings("log_prob"), plan, "densities")
"""

import importlib.util

from higlow_tf.errors import InputError

for _name in ("ray", "pyarrow"):
    if importlib.util.find_spec(_name) is None:
        raise InputError(
            f'Batch jobs: expected Ray Data and PyArrow (pip install "higlow_tf[batch]"). Received: no package {_name}.'
        )

from higlow_tf.batch.job import estimate_batch, run_batch  # noqa: E402 - none of these can be imported without the extra
from higlow_tf.batch.plan import Part, Plan, plan_maps, plan_samples  # noqa: E402
from higlow_tf.batch.served_model import ServedModel, read_served_model  # noqa: E402
from higlow_tf.batch.settings import TaskSettings  # noqa: E402
from higlow_tf.batch.summary import BatchSummary, Estimate  # noqa: E402

__all__ = [
    "BatchSummary",
    "Estimate",
    "Part",
    "Plan",
    "ServedModel",
    "TaskSettings",
    "estimate_batch",
    "plan_maps",
    "plan_samples",
    "read_served_model",
    "run_batch",
]
