"""What matters most of an evaluation: what is good, what is not, and by how much."""

from typing import NamedTuple

from higlow_tf.diagnostics import MAP_FIELDS
from higlow_tf.evaluation.metrics import WORST_OF_MANY, power_metric, tolerance, worst_of_summary

__all__ = ["OFF", "PASS", "VerdictRow", "judged", "number_text", "verdict_rows", "verdict_text"]

PASS, OFF, UNKNOWN = "pass", "off", "cannot tell"
# A number that was chosen before the look may be this many errors off; the worst of many bins may be farther.
_SINGLE = 2.0


class VerdictRow(NamedTuple):
    """A line of the table on top of a report.

    Attributes:
        label: What was measured.
        value: The number, with its error.
        note: How to read it.
        word: "pass", "off" or another short word; "" for a number that is not judged.
        floor: What a perfect model would show, or "".
    """

    label: str
    value: str
    note: str
    word: str = ""
    floor: str = ""


def judged(metric, ideal, num_errors):
    """Whether a metric is off: farther from its ideal value than so many errors, and than its floor."""
    allowed = tolerance(metric.error, metric.floor, num_errors)
    if metric.value is None or allowed is None:
        return UNKNOWN
    return PASS if abs(metric.value - ideal) <= allowed else OFF


def number_text(metric, digits):
    """A metric with its error."""
    if metric.value is None:
        return "-"
    return f"{metric.value:.{digits}f}" + ("" if metric.error is None else f" ± {metric.error:.{digits}f}")


def verdict_rows(evaluation, metrics):
    """`VerdictRow`s of the numbers that matter most.

    Args:
        evaluation: `Evaluation`.
        metrics: Its metrics, by name.
    """
    return [
        VerdictRow("Test maps", f"{evaluation.test.num_maps}", evaluation.label),
        *_density_rows(evaluation, metrics),
        *_sample_rows(evaluation, metrics),
        *_power_rows(evaluation.statistics, metrics),
        *_summary_rows(evaluation.statistics, metrics),
        *_likeness_rows(evaluation.statistics, metrics),
        *_posterior_rows(evaluation.posteriors, metrics),
    ]


def verdict_text(rows):
    """How many checks pass, which do not, and what the words mean."""
    words = [row.word for row in rows]
    num_checks = words.count(PASS) + words.count(OFF)
    off = [f"{row.label} ({row.value})" for row in rows if row.word == OFF]
    text = f"{words.count(PASS)} of {num_checks} checks pass." + (f" Off: {'; '.join(off)}." if off else "")
    if UNKNOWN in words:
        text += f" {words.count(UNKNOWN)} cannot be told: too few simulations for an error bar."
    return text + (
        "\n\nA number is off if it is farther from its ideal value than twice its error (in the worst of many bins: three "
        "times) and than the floor. Errors are over simulations; the floor is what simulated maps show among themselves."
    )


def _row(label, metric, digits, note, ideal=None, num_errors=_SINGLE):
    word = "" if ideal is None else judged(metric, ideal, num_errors)
    floor = "" if metric.floor is None else f"{metric.floor:.{digits}f}"
    return VerdictRow(label, number_text(metric, digits), note, word, floor)


def _density_rows(evaluation, metrics):
    num_bad = metrics["nonfinite_log_prob"].value
    note = "nats per pixel of the log10 map, negative log-density; lower is better, on the same maps only"
    if num_bad:
        note = f"not defined: the density of {num_bad} test maps is not finite"
    rows = [_row("Density", metrics["nll_nats_per_pixel"], 4, note)]
    if "gap_to_exact_nats_per_pixel" in metrics:
        gap = metrics["gap_to_exact_nats_per_pixel"]
        rows.append(_row("Gap to the exact density", gap, 4, "nats per pixel; 0 would be perfect", 0.0))
    if "symmetry_defect_nats_per_pixel" in metrics:
        note = "nats per pixel: how much the density of a map changes when the map is shifted or reflected; 0 would be perfect"
        rows.append(_row("Symmetry of the density", metrics["symmetry_defect_nats_per_pixel"], 5, note))
    return rows


def _sample_rows(evaluation, metrics):
    num_maps = len(evaluation.rows)
    bad = metrics["nonfinite_samples"].value
    note = "with pixels that are not finite and positive" + ("; the comparisons below leave them out" if bad else "")
    if evaluation.test.num_channels > 1:
        note += "; P(k) and pixels are compared for maps of one field only"
    rows = [VerdictRow("Bad generated maps", f"{bad} of {num_maps}", note, OFF if bad else PASS)]
    far = metrics["out_of_range_samples"].value
    note = f"with pixels more than a decade beyond the extremes of the {evaluation.checked_against} maps"
    rows.append(VerdictRow("Generated maps out of range", f"{far} of {num_maps}", note, OFF if far else PASS))
    return rows


def _power_rows(statistics, metrics):
    rows = []
    for name in [name for name in MAP_FIELDS if name in statistics.powers]:
        comparison = statistics.powers[name]
        for statistic in ("mean", "sd"):
            metric, index = power_metric(comparison, statistic)
            note = f"generated / simulated in the worst bin, k = {comparison.k_h_mpc[index]:.2f} h/Mpc"
            rows.append(_row(f"P(k) {statistic}, {MAP_FIELDS[name].title}", metric, 2, note, 1.0, WORST_OF_MANY))
    if statistics.correlation is not None:
        metric = metrics["power_correlation_mean_difference"]
        note = "generated less simulated correlation of P(k) between two bins, mean over all pairs"
        rows.append(_row("Correlation of P(k)", metric, 3, note, 0.0))
    if statistics.power_r2 is not None:
        metric = metrics["power_r2_median"]
        note = (
            f"R2 of mean log10 P(k) at single cosmologies, median of {metric.n_simulations}; the floor is what half of the "
            "maps of a simulation gives for the other half"
        )
        rows.append(_row("P(k) at one cosmology", metric, 3, note)._replace(word=_r2_word(metric)))
    if statistics.response is not None:
        for name in statistics.response.parameter_names:
            metric = metrics[f"power_response_{name}_worst_deviation"]
            note = f"generated less simulated d ln P / d {name}, worst bin"
            rows.append(_row(f"Response of P(k) to {name}", metric, 2, note, 0.0, WORST_OF_MANY))
    return rows


def _r2_word(metric):
    if metric.error is None or metric.floor is None:
        return UNKNOWN
    return PASS if metric.value >= metric.floor - _SINGLE * metric.error else OFF


def _summary_rows(statistics, metrics):
    rows = []
    if statistics.pdf is not None:
        share = metrics["pixel_fraction_outside_real_range"].value
        metric = metrics["pixel_pdf_ratio_worst_in_1_to_99_percent"]
        note = f"generated / simulated in the worst bin of the middle 98 %, log10 = {statistics.pdf.worst_central_log10_hi:.2f}"
        rows.append(_row("Pixel distribution", metric, 2, note, 1.0, WORST_OF_MANY))
        for index, side in enumerate(("below", "above")):
            edge = statistics.pdf.tail_log10_hi[index]
            note = (
                f"generated / simulated share of pixels {side} log10 = {edge:.2f}, which one simulated pixel in 1000 is"
            )
            rows.append(_row(f"Pixels in the tail {side}", metrics[f"pixel_tail_ratio_{side}"], 2, note, 1.0))
        note = "of generated pixels beyond the smallest or largest simulated one"
        rows.append(VerdictRow("Extreme pixels", f"{100 * share:.3g} %", note))
    for name, one in statistics.summaries.items():
        unit = "share" if one.kind == "ratio" else "standard deviations of a simulated map"
        note = f"deviation of the mean in the worst bin, as {unit}; {one.x_label} = {one.x[worst_of_summary(one)]:.3g}"
        metric = metrics[f"{name}_worst_deviation"]
        rows.append(_row(one.label, metric, 3, note, 0.0, WORST_OF_MANY))
    return rows


def _likeness_rows(statistics, metrics):
    rows = []
    if statistics.classifier is not None:
        note = (
            "area under the curve of a classifier of generated against simulated maps; 0.5: it cannot tell them apart"
        )
        rows.append(_row("Classifier", metrics["classifier_auc"], 3, note, 0.5))
    if statistics.nearest is not None:
        nearest = statistics.nearest
        note = (
            "distance of generated maps to the nearest training map, over that of test maps; below 1 would be copies "
            f"(p = {nearest.p_value:.2g})"
        )
        row = _row("Nearest training map", metrics["nearest_training_distance_ratio"], 3, note)
        rows.append(row._replace(word=OFF if nearest.is_memorising else PASS))
    return rows


def _posterior_rows(posteriors, metrics):
    if posteriors is None:
        return []
    kind = "with the stored calibration" if posteriors.is_calibrated else "raw: the run has no calibration"
    rows = [
        _row(f"RMSE of {name}", metrics[f"rmse_{name}"], 4, f"posterior mean of one map against the truth, {kind}")
        for name in posteriors.posterior.parameters.names
    ]
    note = f"share of truths inside the 68 % regions of {len(posteriors.truth)} maps, {kind}"
    rows.append(_row("Coverage of 68 %", metrics["coverage_68"], 2, note, 0.68))
    rows.append(
        _row("Mean squared pull", metrics["pull2"], 2, "(mean - truth)**2 / sd**2; 1 for right error bars", 1.0)
    )
    return rows
