"""Trains what a configuration describes: python training/train.py training/compact.yaml RUN."""

import sys

from higlow_tf.runs import train

__all__ = []

if __name__ == "__main__":
    config_file, run_directory = sys.argv[1:]
    train(config_file, out=run_directory)
