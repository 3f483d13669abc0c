"""Trains what a configuration describes: python training/train.py training/compact.yaml RUN."""

import sys

from higlow_tf.runs import read_run_config, train_run

__all__ = []

if __name__ == "__main__":
    config_file, run_directory = sys.argv[1:]
    train_run(read_run_config(config_file), run_directory)
