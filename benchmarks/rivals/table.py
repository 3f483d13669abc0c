"""The rows of a comparison as Markdown and as a picture."""

from benchmarks.rivals.rows import SETS
from higlow_tf.plotting.style import STYLE

__all__ = ["draw_rows", "table_of"]

_COMMON = {
    "information_gain_nats": "gain, nats",
    "coverage_68": "68 % regions",
    "coverage_95": "95 % regions",
    "pull2": "pull²",
}


def table_of(rows, config):
    """A table for each kind of posteriors, with errors over simulations.

    Args:
        rows: Of `read_rows`.
        config: Of `Problem.to_config`.
    """
    counts = config["num_simulations"]
    lines = [
        f"{counts['train']} training, {counts['validation']} validation and {counts['test']} test simulations (split seed "
        f"{config['split_seed']}); {config['num_maps']['test']} test maps, {config['num_symmetries']} copies of each. "
        "± is the bootstrap error over simulations.",
        "",
        "| | CPU minutes | weights | epochs (best) | tempering |",
        "|---|---|---|---|---|",
        *(f"| {row['title']} | {' | '.join(_facts(row))} |" for row in rows.values()),
    ]
    for prefix, title in SETS.items():
        shown = {name: row for name, row in rows.items() if f"{prefix}coverage_68" in row["metrics"]}
        if shown:
            lines += ["", *_scores(title, prefix, shown, config["parameters"])]
    return "\n".join([*lines, ""])


def _facts(row):
    training = row["training"]
    seconds, minutes = training.get("cpu_seconds"), training.get("wall_minutes")
    of_clock = "-" if minutes is None else f"{minutes:.1f} by the clock"
    epochs = "-" if "epochs" not in training else f"{training['epochs']} ({training['best_epoch']})"
    number = f"{training['num_weights']:,}"
    time = of_clock if seconds is None else f"{seconds / 60:.1f}"
    return time, number, epochs, f"{row['calibration']['tempering']:.2f}"


def _scores(title, prefix, rows, parameters):
    columns = _COMMON | {f"rmse_{name}": f"RMSE {name}" for name in parameters}
    if not prefix and any("gain_difference_nats" in row["metrics"] for row in rows.values()):
        columns |= {"gain_difference_nats": "gain minus ours, nats"}
    yield f"| {title} | {' | '.join(columns.values())} |"
    yield "|---" * (1 + len(columns)) + "|"
    for row in rows.values():
        cells = [_text(row["metrics"].get(key if key == "gain_difference_nats" else prefix + key)) for key in columns]
        yield f"| {row['title']} | {' | '.join(cells)} |"


def _text(metric):
    if metric is None or metric["value"] is None:
        return "-"
    return f"{metric['value']:.3g}" + ("" if metric["error"] is None else f" ± {metric['error']:.2g}")


def draw_rows(rows, parameters):
    """Gain, RMSE, coverage and pull of raw (open) and repaired (filled) posteriors of one map, one line a rival.

    Returns:
        The figure.
    """
    panels = ["information_gain_nats", *(f"rmse_{name}" for name in parameters), "coverage_68", "pull2"]
    titles = ["gain, nats", *(f"RMSE {name}" for name in parameters), "68 % regions hold", "mean squared pull"]
    figure, axes = STYLE.new_figure(1, len(panels), size_in=(2.6 * len(panels), 1.2 + 0.4 * len(rows)))
    with STYLE.context():
        for ax, key, title in zip(axes, panels, titles, strict=True):
            for prefix, colour, face, shift in (
                ("raw_", STYLE.real, "white", 0.15),
                ("", STYLE.generated, None, -0.15),
            ):
                metrics = [row["metrics"][prefix + key] for row in rows.values()]
                ax.errorbar(
                    [metric["value"] for metric in metrics],
                    [shift - number for number in range(len(rows))],
                    xerr=[metric["error"] or 0.0 for metric in metrics],
                    fmt="o",
                    color=colour,
                    markerfacecolor=face or colour,
                    label="repaired" if not prefix else "raw",
                )
            ax.set_title(title)
            ax.set_yticks([-number for number in range(len(rows))], [])
        for ax, ideal in zip(axes[-2:], (0.68, 1.0), strict=True):
            ax.axvline(ideal, color=STYLE.floor, zorder=0)
        axes[0].set_yticklabels([row["title"] for row in rows.values()])
        axes[0].legend(loc="best")
    return figure
