"""The most important results of an evaluation: what is good, what is not, and by how much."""

from dataclasses import dataclass, replace

from higlow_tf.diagnostics.fields import MAP_FIELDS
from higlow_tf.evaluation.metrics import power_metric, worst_of_spread, worst_of_summary
from higlow_tf.evaluation.rule import EXPLANATION, OFF, PASS, SINGLE, UNKNOWN, WORST_OF_MANY, judged

__all__ = ["Verdict", "VerdictRow", "number_text", "verdict_rows"]

DENSITY, SAMPLES, POWER, STRUCTURE, SIMILARITY, POSTERIORS = (
    "Density", "Generated maps", "Power spectra", "Structure", "Similarity", "Posteriors",
)  # fmt: skip

# Of an error bar that is wrong by many orders, all digits would fill the line.
_ABSURD = 1e6
_OF_FEATURES = "of features of a map, generated against simulated"
_CLASSIFIERS = {
    "classifier_auc": ("Linear classifier", f"a logistic regression {_OF_FEATURES}"),
    "classifier_trees_auc": ("Boosted trees", f"gradient-boosted trees {_OF_FEATURES}"),
    "classifier_maps_auc": (
        "Map classifier",
        "a convolutional network that looks at whole maps, generated against simulated",
    ),
}
"""Label and words for the AUC of each classifier, by the name of its metric."""


@dataclass(frozen=True)
class VerdictRow:
    """A line of the table of a verdict.

    Attributes:
        label: What was measured.
        value: The number, with its error.
        note: How to read it.
        word: "pass", "off" or "cannot tell"; "" for a number that is not judged.
        floor: What a perfect model would show, or "".
        group: The heading under which it stands.
    """

    label: str
    value: str
    note: str
    word: str = ""
    floor: str = ""
    group: str = ""


@dataclass(frozen=True)
class Verdict:
    """The numbers that matter most, in groups, and what they say together.

    Attributes:
        rows: `VerdictRow`s.
    """

    rows: tuple[VerdictRow, ...]

    def __str__(self):
        return self.sentence

    @property
    def off(self):
        """The rows that are off."""
        return tuple(row for row in self.rows if row.word == OFF)

    @property
    def sentence(self):
        """How many checks pass, and which groups have checks that do not pass."""
        words = [row.word for row in self.rows]
        num_checks = words.count(PASS) + words.count(OFF)
        text = f"{words.count(PASS)} of {num_checks} checks pass"
        groups = list(dict.fromkeys(row.group.lower() for row in self.off if row.group))
        text += f"; those that are off concern {_listed(groups)}." if groups else "."
        if UNKNOWN in words:
            text += f" {words.count(UNKNOWN)} cannot be told: too few simulations for an error bar."
        return text

    @property
    def explanation(self):
        """What the words mean."""
        return EXPLANATION

    def with_prefix(self, prefix):
        """The same, with a warning before every label; "" for none."""
        if not prefix:
            return self
        return Verdict(tuple(replace(row, label=f"{prefix}: {row.label}") for row in self.rows))


def number_text(metric, digits):
    """A metric with its error."""
    if metric.value is None:
        return "-"
    return _fixed(metric.value, digits) + ("" if metric.error is None else f" ± {_fixed(metric.error, digits)}")


def _fixed(number, digits):
    """With so many digits behind the point, where the number is not absurdly large."""
    return f"{number:.{digits}f}" if abs(number) < _ABSURD else f"{number:.3g}"


def verdict_rows(evaluation):
    """`VerdictRow`s of the most important numbers of an `Evaluation`."""
    metrics, statistics = evaluation.metrics, evaluation.statistics
    groups = {
        DENSITY: [
            VerdictRow("Test maps", f"{evaluation.test.num_maps}", evaluation.label),
            *_density_rows(evaluation, metrics),
        ],
        SAMPLES: _sample_rows(evaluation, metrics),
        POWER: [*_power_rows(statistics, metrics), *_power_structure_rows(statistics, metrics)],
        STRUCTURE: _pixel_and_summary_rows(statistics, metrics),
        SIMILARITY: _similarity_rows(statistics, metrics),
        POSTERIORS: _posterior_rows(evaluation.posteriors, metrics),
    }
    return [replace(row, group=group) for group, rows in groups.items() for row in rows]


def _listed(words):
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _row(label, metric, digits, note, ideal=None, num_errors=SINGLE):
    word = "" if ideal is None else judged(metric, ideal, num_errors)
    floor = "" if metric.floor is None else f"{metric.floor:.{digits}f}"
    return VerdictRow(label, number_text(metric, digits), note, word, floor)


def _density_rows(evaluation, metrics):
    num_bad = metrics["nonfinite_log_prob"].value
    note = "nats per pixel of the log10 map, negative log-density; lower is better, on the same maps only"
    if evaluation.nuisance:
        note += f"; at all {len(evaluation.test.parameters)} parameters of each map, the true ones"
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
    bad = metrics["unusable_samples"].value
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
    for name, comparison in statistics.powers.items():
        for statistic in ("mean", "sd"):
            metric, index = power_metric(comparison, statistic)
            note = f"generated / simulated in the worst bin, k = {comparison.k_h_mpc[index]:.2f} h/Mpc"
            rows.append(_row(f"P(k) {statistic}, {MAP_FIELDS[name].title}", metric, 2, note, 1.0, WORST_OF_MANY))
    return rows


def _power_structure_rows(statistics, metrics):
    rows = []
    if statistics.correlation is not None:
        metric = metrics["power_correlation_mean_difference"]
        note = "generated minus simulated correlation of P(k) between two bins, mean over all pairs"
        rows.append(_row("Correlation of P(k)", metric, 3, note, 0.0))
    if statistics.power_r2 is not None:
        metric = metrics["power_r2_median"]
        note = (
            f"R2 of mean log10 P(k) at single cosmologies, median of {metric.n_simulations}; the floor is what half of the "
            "maps of a simulation gives for the other half"
        )
        rows.append(replace(_row("P(k) at one cosmology", metric, 3, note), word=_r2_word(metric)))
    for name in () if statistics.response is None else statistics.response.parameter_names:
        metric = metrics[f"power_response_{name}_worst_deviation"]
        note = f"generated minus simulated d ln P / d {name}, worst bin"
        rows.append(_row(f"Response of P(k) to {name}", metric, 2, note, 0.0, WORST_OF_MANY))
    return rows


def _r2_word(metric):
    if metric.error is None or metric.floor is None:
        return UNKNOWN
    return PASS if metric.value >= metric.floor - SINGLE * metric.error else OFF


def _pixel_and_summary_rows(statistics, metrics):
    rows = [] if statistics.pdf is None else _pixel_rows(statistics.pdf, metrics)
    for name, comparison in statistics.summaries.items():
        unit = "share" if comparison.kind == "ratio" else "standard deviations of a simulated map"
        where = f"{comparison.x_label} = {comparison.x[worst_of_summary(comparison)]:.3g}"
        note = f"deviation of the mean in the worst bin, as {unit}; {where}"
        rows.append(_row(comparison.label, metrics[f"{name}_worst_deviation"], 3, note, 0.0, WORST_OF_MANY))
    return rows + _spread_rows(statistics.spread, metrics)


def _spread_rows(spread, metrics):
    if spread is None:
        return []
    worst = worst_of_spread(spread)
    note = (
        f"generated / simulated scatter of whole maps at fixed parameters, in the worst of {len(spread.names)} quantities: "
        f"{spread.labels[worst]}"
    )
    metric = metrics[f"spread_ratio_{spread.names[worst]}"]
    return [_row("Spread from map to map", metric, 2, note, 1.0, WORST_OF_MANY)]


def _pixel_rows(pdf, metrics):
    metric = metrics["pixel_pdf_ratio_worst_in_1_to_99_percent"]
    note = f"generated / simulated in the worst bin of the middle 98 %, log10 = {pdf.worst_central_log10_hi:.2f}"
    rows = [_row("Pixel distribution", metric, 2, note, 1.0, WORST_OF_MANY)]
    for index, side in enumerate(("below", "above")):
        edge = pdf.tail_log10_hi[index]
        note = (
            f"generated / simulated share of pixels {side} log10 = {edge:.2f}, where one simulated pixel in 1000 lies"
        )
        rows.append(_row(f"Pixels in the tail {side}", metrics[f"pixel_tail_ratio_{side}"], 2, note, 1.0))
    share = metrics["pixel_fraction_outside_real_range"].value
    note = "of generated pixels beyond the smallest or largest simulated one"
    return [*rows, VerdictRow("Extreme pixels", f"{100 * share:.3g} %", note)]


def _similarity_rows(statistics, metrics):
    rows = [
        _row(label, metrics[name], 3, f"area under the curve of {judge}; 0.5: it cannot tell them apart", 0.5)
        for name, (label, judge) in _CLASSIFIERS.items()
        if name in metrics
    ]
    if statistics.nearest is not None:
        nearest = statistics.nearest
        note = (
            "distance of generated maps to the nearest training map, over that of test maps; below 1 would be copies "
            f"(p = {nearest.p_value:.2g})"
        )
        row = _row("Nearest training map", metrics["nearest_training_distance_ratio"], 3, note)
        rows.append(replace(row, word=OFF if nearest.is_memorising else PASS))
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
