"""The rows of a comparison as a Markdown table."""

__all__ = ["markdown_table"]

_TASKS = {"train": "training step", "log_prob": "log_prob", "sample": "sampling", "posterior": "posterior, 1024 points"}


def markdown_table(rows, rates):
    """One line for each model and task: what ours takes, and how much longer each of the others.

    Args:
        rows: Dicts of `higlow_tf.evaluation.speed_rows.speed_row`, of all programs.
        rates: `MachineRates` of one thread.

    Returns:
        Text. A program that was not measured in a case has an empty cell; one that cannot do it has a dash, and a line below
        the table says why.
    """
    ours = [row for row in rows if row["ratio"] is None and row["cpu_s"] is not None]
    others = list(dict.fromkeys(row["who"] for row in rows if row["who"] != ours[0]["who"]))
    by_key = {(row["title"], row["task"], row["who"]): row for row in rows}
    lines = [
        f"Machine: {rates.operations_per_s / 1e9:.1f} GFLOP/s in products of large float32 matrices and "
        f"{rates.bytes_per_s / 1e9:.1f} GB/s in copies, on one thread.",
        "",
        "| model | task | ours, CPU s | of the limit | " + " | ".join(others) + " | compilation, CPU s | peak MiB |",
        "|---" * (6 + len(others)) + "|",
    ]
    for row in ours:
        cells = [
            row["title"],
            _TASKS[row["task"]],
            f"{row['cpu_s']['median']:.4f}",
            f"{row['share_of_limit']:.0%}",
            *(_ratio(by_key.get((row["title"], row["task"], who))) for who in others),
            # The posterior calls the density, which is compiled by then.
            "" if row["task"] == "posterior" else f"{row['compile_cpu_s']:.1f}",
            _peaks([row, *(by_key.get((row["title"], row["task"], who)) for who in others)]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    reasons = dict.fromkeys(
        f"- {row['who']}, {_TASKS[row['task']]}: {row['note']}" for row in rows if row["cpu_s"] is None
    )
    return "\n".join([*lines, "", *reasons]).rstrip() + "\n"


def _ratio(row):
    if row is None:
        return ""
    return "-" if row["ratio"] is None else "{median:.2f} ({min:.2f} to {max:.2f})".format(**row["ratio"])


def _peaks(rows):
    """Ours, and those of the others that were measured."""
    measured = [row for row in rows if row is not None and row["peak_mib"] is not None]
    return "; ".join(f"{row['who']} {row['peak_mib']:.0f}" for row in measured)
