"""The speed of our XLA programs on a GPU through JAX, beside PyTorch, where there is no TensorFlow.

python -m benchmarks.gpu_step --help
"""

__all__ = []
