"""Our exported programs as JAX functions, on the device that JAX finds."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import func
from jax.interpreters import mlir

from benchmarks.gpu_step.folder import read_program
from higlow_tf.errors import InputError

__all__ = ["jax_device", "jax_function", "jax_tasks"]

# The counters of steps are int64.
jax.config.update("jax_enable_x64", True)


def jax_device():
    """The kind of device ("gpu", "cpu", ...) and its name."""
    device = jax.devices()[0]
    return device.platform, device.device_kind


def jax_function(folder, program):
    """A compiled function `(theta, maps, *state) -> [result, *updates]`; it takes the memory of the state that it replaces.

    Args:
        folder: Of the export.
        program: `Program`.

    Raises:
        InputError: If the file is damaged, or its program has other inputs or outputs than the manifest says.
    """
    stablehlo = _stablehlo(read_program(folder, program), folder / program.file)
    _check_types(stablehlo, program, folder)
    primitive = Primitive(f"{program.task}_{program.batch_size}")
    primitive.multiple_results = True
    outputs = [jax.core.ShapedArray(tuple(shape), np.dtype(dtype)) for shape, dtype in program.outputs]
    primitive.def_abstract_eval(lambda *inputs: outputs)

    def lower(context, *arguments):
        main, symbols = _main(ir.Module.parse(stablehlo)), context.module_context.symbol_table
        results = main.type.results
        name = mlir.merge_mlir_modules(context.module_context.module, "program", _module_of(main), dst_symtab=symbols)
        return func.CallOp(results, ir.FlatSymbolRefAttr.get(name), list(arguments)).results

    mlir.register_lowering(primitive, lower)
    replaced = [2 + program.state.index(name) for name in program.updates]
    return jax.jit(lambda *arguments: primitive.bind(*arguments), donate_argnums=replaced)


def _stablehlo(hlo, path):
    """A serialized HLO module, whose format lasts, as what this version of JAX reads."""
    from jaxlib import _jax  # JAX's own bridge from TensorFlow calls it, and there is no public name

    try:
        return _jax.mlir.hlo_to_stablehlo(hlo)
    except Exception as error:
        raise InputError(f"{path}: expected an HLO module. Received: {str(error).splitlines()[0]}.") from error


def _check_types(stablehlo, program, folder):
    with mlir.make_ir_context():
        type_of_main = _main(ir.Module.parse(stablehlo)).type
        found = [[str(one) for one in part] for part in (type_of_main.inputs, type_of_main.results)]
        expected = [[_type_text(*one) for one in part] for part in (program.inputs, program.outputs)]
    for name, here, there in zip(("inputs", "outputs"), expected, found, strict=True):
        if here != there:
            raise InputError(
                f"{folder / program.file}: expected {len(here)} {name} as in the manifest. "
                f"Received: {len(there)}, of which some or all are others."
            )


def _type_text(shape, dtype):
    dtype = np.dtype(dtype)
    name = "i1" if dtype.kind == "b" else f"{dtype.kind}{8 * dtype.itemsize}"
    return f"tensor<{''.join(f'{size}x' for size in shape)}{name}>"


def _main(module):
    return ir.SymbolTable(module.operation)["main"]


def _module_of(main):
    return main.operation.parent.opview


def jax_tasks(folder, program, problem, state):
    """A function without arguments that begins one call of a program and returns its result, one that waits, and the state.

    Each call of a training step goes on from the state that the one before left, as in training. The state is a dict by name.

    Raises:
        InputError: As `jax_function`.
    """
    function = jax_function(folder, program)
    arguments = [jax.device_put(problem.theta()), jax.device_put(problem.maps())]
    values = {name: jnp.array(state[name]) for name in program.state}  # copies: the function may write into them

    def call():
        result, *updates = function(*arguments, *values.values())
        values.update(zip(program.updates, updates, strict=True))
        return result

    return call, jax.block_until_ready, values
