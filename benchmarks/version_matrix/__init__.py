"""The version matrix: a short chain of calls on every Python and TensorFlow that the package admits, oldest and newest.

python -m benchmarks.version_matrix --help
"""

__all__ = []
