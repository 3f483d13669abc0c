"""The contract that every layer of the networks keeps, as checks of a `NetworkCase` that raise `ContractError`."""

import inspect
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from requirements import require, require_close, require_equal, require_gradients

__all__ = ["CHECKS", "applies"]

DTYPES = ("float64", "float32")
# Largest |a - b| / max(1, |b|).
SAME_ARITHMETIC = 1e-12  # the same float64 operations, in another batch or in a graph
COMPILED = 1e-5  # float32 sums of some ten terms in another order


class Holder(keras.Model):
    """A model that is nothing but one layer: Keras saves models only."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.built = True


def check_number_of_weights(case):
    """As many trainable numbers as the case says."""
    found = sum(int(np.prod(variable.shape)) for variable in case.build().trainable_variables)
    require(found == case.num_trainable, f"trainable numbers: expected {case.num_trainable}. Received: {found}")


def check_configuration(case):
    """The configuration is JSON, has every argument, and makes the same layer with the same start, alone and through Keras."""
    layer = case.kind(*case.shapes, **case.others, dtype="float64")
    config = json.loads(json.dumps(layer.get_config()))
    arguments = list(inspect.signature(case.kind.__init__).parameters)[1:-1]  # without self and kwargs
    given = dict(zip(arguments, case.shapes, strict=False)) | case.others
    require(set(given) == set(arguments), f"expected a value for every argument. Received: {sorted(given)}")
    for name, value in given.items():
        found = config.get(name, "nothing")
        require(found == value, f"{name} in the configuration: expected {value}. Received: {found}")
    through_keras = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    for again in (case.kind.from_config(config), through_keras):
        require(again.get_config() == layer.get_config(), "expected the same configuration of the layer made from it")
        for built in (layer, again):
            if not built.built:
                built.build(None)
        for variable, other in zip(layer.variables, again.variables, strict=True):
            require_equal(other.numpy(), variable.numpy(), f"start of {variable.path} of the layer made from it")


def check_saving(case):
    """Keras saves and loads the weights, and a layer of another start answers as the saved one."""
    layer, other = case.build(), case.kind(*case.shapes, dtype="float64")
    other.build(None)
    inputs = case.random_inputs()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.weights.h5"
        Holder(layer).save_weights(path)
        Holder(other).load_weights(path)
    for found, expected in zip(case.call(other, *inputs), case.call(layer, *inputs), strict=True):
        require_equal(found, expected, "output with loaded weights")


def check_dtypes(case):
    """Weights and outputs have the dtype of the layer."""
    for dtype in DTYPES:
        layer = case.build(dtype)
        tensors = [*layer.trainable_variables, *case.call(layer, *case.random_inputs(dtype))]
        found = {tf.as_dtype(tensor.dtype).name for tensor in tensors}
        require(found == {dtype}, f"dtypes of a {dtype} layer: {sorted(found)}")


def check_graph(case):
    """One trace serves every batch size, and gives what eager execution gives."""
    layer, traces = case.build(), []

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((*shape, None), tf.float64) for shape in case.inputs])
    def run(*inputs):
        traces.append(1)
        return case.call(layer, *inputs)

    for num_rows in (2, 3):
        inputs = case.random_inputs(num_rows=num_rows)
        outputs = run(*inputs)
    require(len(traces) == 1, f"expected one trace for every batch size. Received: {len(traces)} traces")
    for found, expected in zip(outputs, case.call(layer, *inputs), strict=True):
        require_close(found, expected, SAME_ARITHMETIC, "output of a graph")


def check_jit(case):
    """Under XLA the outputs are those of eager execution."""
    layer, inputs = case.build("float32"), case.random_inputs("float32")
    compiled = tf.function(lambda *inputs: case.call(layer, *inputs), jit_compile=True, autograph=False)
    for found, expected in zip(compiled(*inputs), case.call(layer, *inputs), strict=True):
        require_close(found, expected, COMPILED, "output under XLA")


def check_gradients(case):
    """The gradient of the outputs reaches every trainable weight."""
    layer, inputs = case.build(), case.random_inputs()
    rng = np.random.default_rng(2)
    probes = [rng.standard_normal(output.shape) for output in case.call(layer, *inputs)]

    def value():
        outputs = case.call(layer, *inputs)
        return tf.add_n([tf.reduce_sum(probe * output) for probe, output in zip(probes, outputs, strict=True)])

    require_gradients(value, layer.trainable_variables, "the outputs")


def check_neighbours(case):
    """An example does not depend on the others in its batch, nor on whether there are any."""
    layer, inputs, others = case.build(), case.random_inputs(), case.random_inputs(seed=1)
    beside = [tf.concat([own[..., :1], other[..., 1:]], axis=-1) for own, other in zip(inputs, others, strict=True)]
    outputs = zip(
        case.call(layer, *inputs),
        case.call(layer, *beside),
        case.call(layer, *[own[..., :1] for own in inputs]),
        strict=True,
    )
    for together, exchanged, alone in outputs:
        require_close(exchanged[..., 0], together[..., 0], SAME_ARITHMETIC, "an example beside others")
        require_close(alone[..., 0], together[..., 0], SAME_ARITHMETIC, "an example alone")


def check_inputs(case):
    """Each input changes what its example gives."""
    layer, inputs, others = case.build(), case.random_inputs(), case.random_inputs(seed=1)
    outputs = case.call(layer, *inputs)
    for index in range(len(inputs)):
        changed = case.call(layer, *inputs[:index], others[index], *inputs[index + 1 :])
        for found, output in zip(changed, outputs, strict=True):
            is_other = np.any(found.numpy() != output.numpy(), axis=tuple(range(output.shape.rank - 1)))
            require(np.all(is_other), f"expected input {index} to change every output of its example")


def check_variables_unchanged(case):
    """No call changes a variable."""
    layer = case.build()
    before = [variable.numpy() for variable in layer.variables]
    case.call(layer, *case.random_inputs())
    for variable, old in zip(layer.variables, before, strict=True):
        require_equal(variable.numpy(), old, f"variable {variable.path} after a call")


CHECKS = {
    "number of weights": check_number_of_weights,
    "configuration": check_configuration,
    "saving": check_saving,
    "dtypes": check_dtypes,
    "graph": check_graph,
    "jit": check_jit,
    "gradients": check_gradients,
    "neighbours": check_neighbours,
    "inputs": check_inputs,
    "variables unchanged": check_variables_unchanged,
}
_ONLY_WITH_INPUTS = ("neighbours", "inputs")


def applies(check, case):
    """Whether a check, by name, says something about a case."""
    return bool(case.inputs) or check not in _ONLY_WITH_INPUTS
