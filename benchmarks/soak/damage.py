"""Copies of a file that went wrong on their way, or were made to do harm."""

import numpy as np

__all__ = ["KINDS", "damaged"]

KINDS = ("truncated", "flipped", "emptied", "swapped", "zeroed", "doubled")


def damaged(content, seed):
    """The bytes of a file, damaged; the kind goes round with the seed, so that six seeds show all kinds.

    Args:
        content: The bytes of the whole file, at least two.
        seed: Integer from 0 up.

    Returns:
        Other bytes.
    """
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    if kind == "truncated":
        return content[: rng.integers(1, len(content))]
    if kind == "emptied":
        return b""
    if kind == "doubled":
        return content + content
    found = bytearray(content)
    if kind == "flipped":  # one bit in each of up to three bytes
        for place in rng.choice(len(found), min(3, len(found)), replace=False):
            found[place] ^= 1 << int(rng.integers(8))
    elif kind == "zeroed":
        start = int(rng.integers(len(found)))
        found[start : start + 16] = bytes(len(found[start : start + 16]))
    else:  # swapped: the two parts of the file change places
        cut = int(rng.integers(1, len(found)))
        found = found[cut:] + found[:cut]
    return bytes(found)
