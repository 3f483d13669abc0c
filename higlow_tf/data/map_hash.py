"""One map as a short name of its content."""

import hashlib

import numpy as np

__all__ = ["map_hash"]


def map_hash(hi_map):
    """The content of one map: blake2b (8 bytes) of its little-endian float32 pixels, as a hex string."""
    return hashlib.blake2b(np.ascontiguousarray(hi_map, dtype="<f4").tobytes(), digest_size=8).hexdigest()
