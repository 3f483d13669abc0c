"""Writes the programs that TensorFlow hands to XLA. Needs no GPU: they are the same for it."""

import gzip
import re
import sys

import keras
import numpy as np
import tensorflow as tf

from benchmarks.gpu_step.folder import CHECK_BATCH, CHECK_STEPS, LEARNING_RATE, MANIFEST, STATE, TASKS, Export, Program
from benchmarks.speed_peers.problem import Problem
from higlow_tf.cores import whole_batches
from higlow_tf.errors import InputError
from higlow_tf.evaluation.speed_tasks import needs_of_task, synthetic_model
from higlow_tf.files import whole_path, write_json
from higlow_tf.models import PRESETS

__all__ = ["changed_inputs", "export_programs", "graph_of_task", "model_to_export", "write_program"]

# XLA's note of which output takes the memory of which input: `{2}: (6, {}, may-alias)`.
_ALIAS = re.compile(r"\{(\d+)\}: \((\d+), \{\}, (?:may|must)-alias\)")


def export_programs(preset, batch_sizes, out, progress=None):
    """Writes an export (see `folder.py`) of a preset with random weights, the same at each call.

    Args:
        preset: Name of a preset of `ConditionalGlow`.
        batch_sizes: Maps of a batch; each has programs of its own.
        out: Folder that does not exist.
        progress: Function that is told, in words, what was written; or None.

    Returns:
        `Export`.

    Raises:
        InputError: If the preset is unknown or that of another model, or the folder exists.
    """
    if preset not in PRESETS:
        raise InputError(f"--preset: expected one of {', '.join(PRESETS)}. Received: {preset!r}.")
    if out.exists():
        raise InputError(f"--out: expected a path that does not exist. Received: {out}.")
    model = model_to_export(preset)
    graphs = {task: graph_of_task(model, task) for task in TASKS}
    weights = {_without_model(variable): variable.path for variable in model.weights}
    with whole_path(out, is_folder=True) as folder:
        folder.mkdir()
        programs, state = [], {}
        for batch_size in sorted({CHECK_BATCH, *batch_sizes}):
            for task, graph in graphs.items():
                program, variables = write_program(model, graph, task, batch_size, folder)
                programs.append(program)
                state |= variables
                _tell(progress, f"{program.title}: written")
        np.savez_compressed(folder / STATE, **{name: variable.numpy() for name, variable in state.items()})
        problem = Problem.of_model(model, CHECK_BATCH, threads=1)
        updated = {name: state[name] for one in programs for name in one.updates}
        expected = _expected(graphs, problem, updated)
        _tell(progress, f"values of a batch of {CHECK_BATCH}: computed")
        export = Export(preset, problem.config, _versions(), weights, programs, expected)
        write_json(export.to_json(), folder / MANIFEST)
    return export


def model_to_export(preset):
    """A model with random weights and an optimizer."""
    model = synthetic_model(preset, {})
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE))
    model.optimizer.build(model.trainable_variables)  # no variable can be made inside a traced step
    return model


def graph_of_task(model, task):
    """A function of theta and maps that XLA compiles as a whole, for a batch at once.

    In training, the package lets XLA compile value and gradients, and leaves clipping and the optimizer around them to
    TensorFlow. Here XLA compiles all of `train_step`.
    """
    functions = {
        "train": lambda theta, maps: model.train_step((theta, maps))["loss"],
        "log_prob": lambda theta, maps: model.log_prob(maps, theta),
    }

    def function(theta, maps):
        with whole_batches():
            return functions[task](theta, maps)

    return tf.function(function, jit_compile=True, autograph=False)


def write_program(model, graph, task, batch_size, folder):
    """Writes the program of a graph of `graph_of_task` for a batch.

    Returns:
        The pair (`Program`, its variables by name).
    """
    problem = Problem.of_model(model, batch_size, threads=1)
    arguments = tf.constant(problem.theta()), tf.constant(problem.maps())
    concrete = graph.get_concrete_function(*arguments)
    lower = graph.experimental_get_compiler_ir(*arguments)
    variables = _captured(concrete, model)
    names = list(variables)
    inputs = [*arguments, *(variable.value for variable in variables.values())]
    changed = changed_inputs(lower(stage="hlo").split("\n", 1)[0])
    outputs = [concrete.structured_outputs, *(inputs[number] for number in changed)]
    operations, moved_bytes = needs_of_task(model, task, batch_size)
    program = Program(
        task=task,
        batch_size=batch_size,
        file=f"{task}_{batch_size}.hlo.gz",
        inputs=[_type(tensor) for tensor in inputs],
        outputs=[_type(tensor) for tensor in outputs],
        state=names,
        updates=[names[number - len(arguments)] for number in changed],
        operations=operations,
        moved_bytes=moved_bytes,
    )
    (folder / program.file).write_bytes(gzip.compress(lower(stage="hlo_serialized"), mtime=0))
    return program, variables


def changed_inputs(header):
    """Numbers of the inputs that the outputs after the first replace, from the first line of a module as text."""
    pairs = sorted((int(output), int(source)) for output, source in _ALIAS.findall(header))
    if [output for output, _ in pairs] != list(range(1, len(pairs) + 1)):
        raise RuntimeError(f"Expected outputs that replace state after the first. Received: {header[:200]}.")
    return [source for _, source in pairs]


def _captured(concrete, model):
    """The variables that a graph reads or writes by name, in the order of the program's inputs."""
    # `model.metrics` has those alone that are reported.
    metrics = [value for value in vars(model).values() if isinstance(value, keras.metrics.Metric)]
    named = [(f"{metric.name}/{variable.name}", variable) for metric in metrics for variable in metric.variables]
    named += [(variable.path, variable) for variable in [*model.weights, *model.optimizer.variables]]
    by_handle = {id(variable.value.handle): (name, variable) for name, variable in named}
    found = [by_handle.get(id(tensor)) for tensor in concrete.captured_inputs]
    if None in found or len(dict(found)) != len(found):
        raise RuntimeError(f"Expected a graph of the model's variables, each with a name. Received: {found}.")
    return dict(found)


def _expected(graphs, problem, updated):
    """What TensorFlow computes for a batch; it leaves the model trained by `CHECK_STEPS` steps, which change `updated`."""
    arguments = tf.constant(problem.theta()), tf.constant(problem.maps())
    log_prob = graphs["log_prob"](*arguments).numpy()
    before = {name: variable.numpy() for name, variable in updated.items()}
    losses = [float(graphs["train"](*arguments)) for _ in range(CHECK_STEPS)]
    moved = {name: float(np.linalg.norm(updated[name].numpy() - value)) for name, value in before.items()}
    return {"log_prob": log_prob.tolist(), "train": losses, "moved": moved}


def _type(tensor):
    return [list(tensor.shape), tensor.dtype.name]


def _without_model(variable):
    return variable.path.partition("/")[2]


def _versions():
    return {"python": sys.version.split()[0], "tensorflow": tf.__version__, "keras": keras.__version__}


def _tell(progress, line):
    if progress is not None:
        progress(line)
