"""The rows as a table for people."""

__all__ = ["row_line", "table_of"]

_TITLES = ("task", "batch", "program", "ms", "maps/s", "ratio", "of copy", "of float32", "of TF32", "first call, s")


def table_of(measured):
    """Markdown of what `time_programs` returns."""
    rates, versions = measured["rates"], measured["versions"]
    copies, products = rates["copy_bytes_per_s"] / 1e9, rates["float32_per_s"] / 1e12
    tf32 = "no TF32" if rates["tf32_per_s"] is None else f"TF32 {rates['tf32_per_s'] / 1e12:.3g} TFLOP/s"
    head = (
        f"{measured['preset']} on {measured['device']} ({measured['platform']}): "
        f"copies {copies:.3g} GB/s, float32 products {products:.3g} TFLOP/s, {tf32}; "
        f"JAX {versions['jax']}, PyTorch {versions['torch']}, programs of TensorFlow {versions['export']['tensorflow']}; "
        f"medians of {measured['rounds']} rounds (lowest to highest)"
    )
    lines = ["", head, "", _line(_TITLES), _line(["---"] * len(_TITLES))]
    return "\n".join([*lines, *map(row_line, measured["rows"])])


def row_line(row):
    """Markdown of one row."""
    return _line(_cells(row))


def _cells(row):
    start = [row["task"], str(row["batch_size"]), row["who"]]
    if row["wall_s"] is None:
        return [*start, row["note"], *[""] * (len(_TITLES) - 4)]
    if row["note"]:
        start[-1] += f": {row['note']}"
    shares = [row["share_of_copy"], row["share_of_float32"], row["share_of_tf32"]]
    return [
        *start,
        _range(row["wall_s"], 1e3),
        f"{row['maps_per_s']:.4g}",
        "" if row["ratio"] is None else _range(row["ratio"]),
        *("" if share is None else f"{share:.1%}" for share in shares),
        f"{row['first_s']:.3g}",
    ]


def _range(values, factor=1.0):
    return "{:.3g} ({:.3g} to {:.3g})".format(*(factor * values[name] for name in ("median", "min", "max")))


def _line(cells):
    return f"| {' | '.join(cells)} |"
