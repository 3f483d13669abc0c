"""What `evaluate` and `demo` measure: density and generated maps against test maps, as metrics."""

from dataclasses import dataclass, field

import numpy as np

from higlow_tf.cli.batches import generate_in_chunks, log_prob_in_chunks, spread_rows
from higlow_tf.cli.console import progress_bar
from higlow_tf.data import HIMapDataset, lognormal
from higlow_tf.diagnostics import (
    Metric,
    PixelPDF,
    PowerComparison,
    compare_power,
    density_score,
    paired_difference,
    pixel_pdf,
)

__all__ = ["FIELDS", "Evaluation", "evaluate_model", "verdict_rows", "worst_bin"]

FIELDS = ("log10", "overdensity")
_FIELD_NAMES = {"log10": "log10 maps", "overdensity": "overdensity"}
_EXACT_SUITE = "Lognormal"


@dataclass(frozen=True)
class Evaluation:
    """Measurements of one model on test maps.

    Attributes:
        test: The test maps.
        label: Which maps these are, in words.
        log_prob: Total nats of each log10 map, `[N]`.
        rows: Which test maps the generated ones are compared with, `[M]`.
        generated: One map at the parameters of each of them, `[M, H, W]`.
        is_usable: Which generated maps are finite and positive everywhere, `[M]`.
        powers: Comparison of P(k) for each of `FIELDS`; empty if no map is usable, or there are several channels.
        pdf: Comparison of the pixels; None in the same cases.
        metrics: Named numbers, as they go to metrics.json.
    """

    test: HIMapDataset
    label: str
    log_prob: np.ndarray
    rows: np.ndarray
    generated: np.ndarray
    is_usable: np.ndarray
    powers: dict[str, PowerComparison] = field(default_factory=dict)
    pdf: PixelPDF | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)


def evaluate_model(model, test, label, *, num_samples=None, seed=0):
    """Measures a model on test maps: all of them for the density, at most `num_samples` for generated maps.

    Args:
        model: `ConditionalGlow`.
        test: `HIMapDataset` that the model was not trained on.
        label: Which maps these are, in words.
        num_samples: Most maps to generate, at the parameters of evenly spread test maps; None for one a test map.
        seed: Seed of the generated maps.

    Returns:
        `Evaluation`.
    """
    with progress_bar("density of test maps") as report:
        log_prob = log_prob_in_chunks(model, test.maps, test.theta, report)
    rows = spread_rows(test.num_maps, num_samples or test.num_maps)
    compared = test.select(rows)
    generated = np.empty_like(compared.maps)
    with progress_bar("generated maps") as report:
        for chunk, maps in generate_in_chunks(model, compared.theta, seed=seed, progress=report):
            generated[chunk] = maps
    is_usable = np.all(np.isfinite(generated) & (generated > 0), axis=tuple(range(1, generated.ndim)))
    powers, pdf = {}, None
    if is_usable.any() and test.num_channels == 1:
        sides = (compared.maps, compared.simulation, generated[is_usable], compared.simulation[is_usable])
        powers = {name: compare_power(*sides, test.box_size_mpc_h, field=name) for name in FIELDS}
        pdf = pixel_pdf(*sides)
    metrics = {
        **_density_metrics(test, log_prob),
        "nonfinite_samples": Metric(int(np.sum(~is_usable)), floor=0, n_simulations=compared.num_simulations),
        **_map_metrics(powers, pdf),
    }
    return Evaluation(test, label, log_prob, rows, generated, is_usable, powers, pdf, metrics)


def worst_bin(comparison, statistic):
    """The bin whose ratio ("mean" or "sd") is farthest from 1."""
    return int(np.argmax(np.abs(getattr(comparison, f"{statistic}_ratio") - 1.0)))


def _density_metrics(test, log_prob):
    num_pixels = test.map_size**2 * test.num_channels
    num_bad = int(np.sum(~np.isfinite(log_prob)))
    metrics = {"nonfinite_log_prob": Metric(num_bad, floor=0, n_simulations=test.num_simulations)}
    if num_bad:
        # A mean over the rest would hide just the maps that the model cannot explain.
        return {"nll_nats_per_pixel": Metric(None, n_simulations=test.num_simulations), **metrics}
    metrics = {"nll_nats_per_pixel": density_score(log_prob, test.simulation, num_pixels), **metrics}
    if test.suite == _EXACT_SUITE and test.parameters.names == ("Omega_m", "sigma_8"):
        exact = lognormal.log_prob(test.maps, test.theta, test.box_size_mpc_h)
        metrics["gap_to_exact_nats_per_pixel"] = paired_difference(
            exact / num_pixels, log_prob / num_pixels, test.simulation
        )
    return metrics


def _map_metrics(powers, pdf):
    metrics = {}
    for name, comparison in powers.items():
        for statistic in ("mean", "sd"):
            of_bin = [_ratio_metric(comparison, statistic, index) for index in range(len(comparison.k_h_mpc))]
            worst = of_bin[worst_bin(comparison, statistic)]
            prefix = f"power_{name}_{statistic}_ratio"
            metrics[f"{prefix}_worst_deviation"] = Metric(
                abs(worst.value - 1.0), worst.error, worst.floor, worst.n_simulations
            )
            metrics |= {f"{prefix}_at_k_h_mpc_{k:.3f}": m for k, m in zip(comparison.k_h_mpc, of_bin, strict=True)}
    if pdf is not None:
        metrics["pixel_fraction_outside_real_range"] = Metric(
            pdf.generated_fraction_outside, n_simulations=pdf.num_generated_simulations
        )
    return metrics


def _ratio_metric(comparison, statistic, index):
    error, floor = (getattr(comparison, f"{statistic}_ratio_{kind}") for kind in ("error", "floor"))
    return Metric(
        float(getattr(comparison, f"{statistic}_ratio")[index]),
        None if error is None else float(error[index]),
        None if floor is None else float(floor[index]),
        comparison.num_generated_simulations,
    )


def verdict_rows(evaluation):
    """Label, value and note of the numbers that matter most."""
    metrics = evaluation.metrics
    nll = metrics["nll_nats_per_pixel"]
    num_bad = metrics["nonfinite_log_prob"].value
    rows = [("Test maps", f"{evaluation.test.num_maps}", evaluation.label)]
    note = "nats per pixel of the log10 map, negative log-density; lower is better, on the same maps only"
    if num_bad:
        note = f"not defined: the density of {num_bad} test maps is not finite"
    rows.append(("Density", number_text(nll, 4), note))
    if "gap_to_exact_nats_per_pixel" in metrics:
        gap = metrics["gap_to_exact_nats_per_pixel"]
        rows.append(("Gap to the exact density", number_text(gap, 4), "nats per pixel; 0 would be perfect"))
    bad = metrics["nonfinite_samples"].value
    note = "with pixels that are not finite and positive" + ("; the comparisons below leave them out" if bad else "")
    if evaluation.test.num_channels > 1:
        note += "; P(k) and pixels are compared for maps of one field only"
    rows.append(("Bad generated maps", f"{bad} of {len(evaluation.rows)}", note))
    for name, comparison in evaluation.powers.items():
        for statistic in ("mean", "sd"):
            index = worst_bin(comparison, statistic)
            metric = _ratio_metric(comparison, statistic, index)
            floor = "" if metric.floor is None else f"; simulations among themselves differ by {metric.floor:.2f}"
            rows.append(
                (
                    f"P(k) {statistic}, {_FIELD_NAMES[name]}",
                    number_text(metric, 2),
                    f"generated / simulated in the worst bin, k = {comparison.k_h_mpc[index]:.2f} h/Mpc{floor}",
                )
            )
    if evaluation.pdf is not None:
        share = metrics["pixel_fraction_outside_real_range"].value
        rows.append(
            (
                "Extreme pixels",
                f"{100 * share:.3g} %",
                "of generated pixels beyond the smallest or largest simulated one",
            )
        )
    return rows


def number_text(metric, digits):
    """A metric with its error."""
    if metric.value is None:
        return "-"
    return f"{metric.value:.{digits}f}" + ("" if metric.error is None else f" ± {metric.error:.{digits}f}")
