"""Files with which TensorFlow Serving's official image serves an exported model."""

import contextlib
from pathlib import Path

from higlow_tf.files import check_new, whole_path

__all__ = ["SERVING_IMAGE", "check_compose_files", "write_compose_files"]

SERVING_IMAGE = "tensorflow/serving:2.20.0"
"""The newest image; SavedModels of TensorFlow 2.21 load in TensorFlow 2.19 and 2.20 with equal numbers."""

_COMPOSE = """\
# docker compose up      REST: http://localhost:8501/v1/models/{name}      gRPC: localhost:8500
services:
  {name}:
    image: {image}
    command:
      - --model_config_file=/models/{name}/models.config
      - --enable_batching=true
      - --batching_parameters_file=/models/{name}/batching_parameters.txt
    ports:
      - "8500:8500"
      - "8501:8501"
    volumes:
      - .:/models/{name}:ro
    stop_grace_period: 60s
"""

_MODELS = """\
# Without a policy the newest version folder is served, and a newer one is picked up.
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
}}
"""

_BATCHING = """\
# Requests of one signature are joined; rows do not depend on each other. A request has at most so many rows ...
max_batch_size { value: 4096 }
# ... and a call of the model so many: larger requests are split, and joined again.
enable_large_batch_splitting { value: true }
max_execution_batch_size { value: 64 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 1000 }
num_batch_threads { value: 2 }
# Never true: a theta_grid that is filled up has points that nobody asked for.
pad_variable_length_inputs: false
"""

_NAMES = ("compose.yaml", "models.config", "batching_parameters.txt")


def check_compose_files(folder, overwrite=False):
    """Refuses to go on if one of the files exists and may not be replaced.

    Raises:
        InputError: With its name.
    """
    for name in _NAMES:
        check_new(Path(folder) / name, overwrite)


def write_compose_files(folder, *, overwrite=False):
    """Writes compose.yaml, models.config and batching_parameters.txt beside the version folders of a model.

    All three take their names at the end, or none does. TensorFlow Serving looks at folders with a number for a name alone, so
    that they do not disturb it.

    Args:
        folder: Folder NAME of the model.
        overwrite: Whether they may replace others.

    Returns:
        Their paths.

    Raises:
        InputError: If one exists and may not be replaced, or they cannot be written.

    References:
        [1] https://www.tensorflow.org/tfx/serving/serving_config
    """
    folder = Path(folder)
    check_compose_files(folder, overwrite)
    name = folder.resolve().name
    texts = (_COMPOSE.format(name=name, image=SERVING_IMAGE), _MODELS.format(name=name), _BATCHING)
    paths = [folder / file for file in _NAMES]
    with contextlib.ExitStack() as stack:
        for path, text in zip(paths, texts, strict=True):
            stack.enter_context(whole_path(path, overwrite)).write_text(text, encoding="utf-8")
    return paths
