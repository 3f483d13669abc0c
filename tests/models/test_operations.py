"""Counted operations against the matrix products that TensorFlow's graph holds."""

import math

import keras
import pytest
import tensorflow as tf

from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow, HIFlow, count_operations

NUM_MAPS = 3


def products_in(graph):
    """Floating-point operations of all matrix products of a graph; those in the body of a loop as often as it turns."""
    total = 0
    for op in graph.get_operations():
        if op.type in ("MatMul", "BatchMatMulV2"):
            x, y = (tensor.shape for tensor in op.inputs)
            transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
            *batch, rows, shared = x
            rows, shared = (shared, rows) if transposed else (rows, shared)
            total += 2 * math.prod(batch) * rows * shared * (op.outputs[0].shape[-1])
            assert y.rank >= 2
        elif op.type in ("While", "StatelessWhile"):
            condition, body = (graph._get_function(op.get_attr(name).name).graph for name in ("cond", "body"))
            (less,) = [test for test in condition.get_operations() if test.type == "Less"]
            total += tf.get_static_value(less.inputs[1]) * products_in(body)
    return total


def graph_of(function, *shapes):
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(function, autograph=False).get_concrete_function(*specs).graph


CASES = {
    "tiny": lambda: ConditionalGlow.from_preset("tiny"),
    "paper-like": lambda: ConditionalGlow.from_preset(
        "tiny", injector="scalar", use_split_prior=False, use_map_mean=False, width=5, num_steps_per_level=3
    ),
    "two fields, three levels": lambda: ConditionalGlow.from_preset(
        "tiny", num_channels=2, num_levels=3, width=[8, 4, 6]
    ),
    "HIFlow": lambda: HIFlow.from_preset("hiflow16", map_size=4, width=8),
}


@pytest.mark.parametrize("case", CASES)
def test_the_density_needs_the_products_of_its_graph(case):
    model = CASES[case]()
    shapes = (NUM_MAPS, model.map_size, model.map_size, model.num_channels), (NUM_MAPS, len(model.parameters))
    found = products_in(graph_of(model.density_by_level, *shapes))
    assert count_operations(model).of_batch(NUM_MAPS) == found


def test_a_sample_needs_the_products_of_its_graph():
    model = CASES["paper-like"]()
    found = products_in(graph_of(model.generate, (NUM_MAPS, model.num_dimensions), (NUM_MAPS, 2)))
    assert count_operations(model, "sample").of_batch(NUM_MAPS) == found


def test_training_needs_three_passes_and_other_tasks_are_refused():
    model = CASES["tiny"]()
    assert count_operations(model, "train").per_map == 3 * count_operations(model).per_map
    with pytest.raises(InputError, match="expected one of log_prob, sample, train. Received: 'fit'"):
        count_operations(model, "fit")
    with pytest.raises(InputError, match="Received: Sequential"):
        count_operations(keras.Sequential())
