"""Training runs: configuration, folder, which maps they were trained on, training, resuming, auditing."""

from higlow_tf.runs.audit import Audit, audit_run
from higlow_tf.runs.config import RunConfig, read_run_config
from higlow_tf.runs.costs import Estimate, estimate
from higlow_tf.runs.directory import RunDirectory
from higlow_tf.runs.options import OPTIONS, new_config, resumed_config
from higlow_tf.runs.reading import load_data_like, load_maps_like, true_parameters
from higlow_tf.runs.run import Run, open_run, store_calibration
from higlow_tf.runs.split_record import maps_for_testing, seen_maps, subset_of
from higlow_tf.runs.trainer import run_nuisance, train_run
from higlow_tf.runs.training import read_training_data, run_folder, train

__all__ = [
    "OPTIONS",
    "Audit",
    "Estimate",
    "Run",
    "RunConfig",
    "RunDirectory",
    "audit_run",
    "estimate",
    "load_data_like",
    "load_maps_like",
    "maps_for_testing",
    "new_config",
    "open_run",
    "read_run_config",
    "read_training_data",
    "resumed_config",
    "run_folder",
    "run_nuisance",
    "seen_maps",
    "store_calibration",
    "subset_of",
    "train",
    "train_run",
    "true_parameters",
]
