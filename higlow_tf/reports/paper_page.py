"""The page of `higlow reproduce-paper`: figures, what the paper quotes, and where the two differ."""

from pathlib import Path

import numpy as np

from higlow_tf.diagnostics import Metric, read_metrics, write_metrics
from higlow_tf.reports.page import Page
from higlow_tf.reports.paper_pictures import paper_pictures
from higlow_tf.reports.picture import add_pictures
from higlow_tf.reports.run_pictures import loss_pictures

__all__ = ["PAPER", "power_r2_of_linear_power", "reproduction_metrics", "write_paper"]

PAPER = {
    "rmse_Omega_m": 0.058,
    "rmse_sigma_8": 0.065,
    "power_r2_linear_median": 0.934,
    "power_r2_linear_minimum": -0.256,
}
"""What the paper quotes of HIGlow: RMSE in its Fig. 3, R2 in the notebook that was published with it."""

_LABELS = {
    "rmse_Omega_m": "RMSE of Omega_m, one map",
    "rmse_sigma_8": "RMSE of sigma_8, one map",
    "coverage_68": "truths inside 68 % regions",
    "pull2": "mean squared pull",
    "power_r2_linear_median": "R2 of P(k) at single cosmologies, median",
    "power_r2_linear_minimum": "R2 of P(k), the worst cosmology",
    "power_r2_log10_median": "R2 of log10 P(k) at single cosmologies, median",
    "power_r2_log10_minimum": "R2 of log10 P(k), the worst cosmology",
    "unusable_samples": "generated maps that are not finite and positive",
}
_NOTES = {
    "rmse_Omega_m": "the paper: other maps of the same simulations were trained on; here: other simulations",
    "rmse_sigma_8": "the same difference",
    "coverage_68": "0.68 if calibrated",
    "pull2": "1 if calibrated",
    "power_r2_linear_median": "the paper: at cosmologies that were trained on; here: at test cosmologies",
    "power_r2_linear_minimum": "the same difference",
    "power_r2_log10_median": "all scales count alike; the largest ones dominate P(k) itself",
    "power_r2_log10_minimum": "",
    "unusable_samples": "the paper's program drops them",
}
_DIFFERENCES = (
    "Split: by simulation. All 15 maps of a simulation are on one side. The paper splits maps, so that for nearly every "
    "test map the network has seen other maps of the same box, with the same parameters.",
    "Test: only simulations that had no part in training or in any choice. The repair of the posteriors is fitted on "
    "validation simulations.",
    "Spectra are shown as they are. The published program rescales them to the first bin of a rival.",
    "Every generated map counts. The published program leaves out those that are not finite, without a word.",
    "Density and samples share one base distribution. In the published program the density has a learned prior and the samples "
    "have not.",
    "Fig. 2B draws one map at the parameters of each test map, not at parameters drawn from the prior: the same marginal "
    "distribution, and the scatter of the parameters cancels in the ratio.",
    "Errors are bootstrap errors over simulations. The paper quotes none.",
)
_PAPER_SUITE, _PAPER_REDSHIFT = "IllustrisTNG", 5.99


def power_r2_of_linear_power(power_r2):
    """R2 over the bins of P(k) itself, not of its logarithm, of each cosmology `[S]`; P(k) is the geometric mean over maps.

    Definition: 1 - sum((real - generated)**2) / sum((real - mean(real))**2), over k
    """
    real, generated = 10.0**power_r2.real_log10_power, 10.0**power_r2.generated_log10_power
    centred = real - real.mean(axis=1, keepdims=True)
    return 1.0 - np.sum((real - generated) ** 2, axis=1) / np.sum(centred**2, axis=1)


def reproduction_metrics(evaluation, of_posteriors):
    """The numbers of the table.

    Args:
        evaluation: `Evaluation`.
        of_posteriors: Metrics that `higlow calibrate` has written.

    Returns:
        Dict of `Metric`s under the names of the table's rows. Numbers that could not be measured are missing.
    """
    metrics = {name: of_posteriors[name] for name in ("rmse_Omega_m", "rmse_sigma_8", "coverage_68", "pull2")}
    power_r2 = evaluation.statistics.power_r2
    if power_r2 is not None:
        number = len(power_r2.r2)
        linear = power_r2_of_linear_power(power_r2)
        metrics |= {
            "power_r2_linear_median": Metric(float(np.median(linear)), n_simulations=number),
            "power_r2_linear_minimum": Metric(float(linear.min()), n_simulations=number),
            "power_r2_log10_median": Metric(power_r2.median, power_r2.median_error, power_r2.median_floor, number),
            "power_r2_log10_minimum": Metric(power_r2.minimum, n_simulations=number),
        }
    simulations = np.unique(evaluation.test.simulation[evaluation.rows])
    unusable = int(np.sum(~evaluation.is_usable))
    return metrics | {"unusable_samples": Metric(unusable, floor=0, n_simulations=len(simulations))}


def write_paper(evaluation, out, *, history=None, facts=None):
    """Writes figures (PNG and PDF), metrics.json and report.html into a reproduction's folder.

    Args:
        evaluation: `Evaluation`.
        out: The folder. It has calibration/, which `write_calibration` wrote.
        history: Columns of the run's history.csv, or None.
        facts: What stands first under provenance, name -> value.

    Returns:
        The pair (path of the page, table): headers and rows of the numbers beside the paper's.
    """
    out = Path(out)
    metrics = reproduction_metrics(evaluation, read_metrics(out / "calibration" / "metrics.json"))
    headers, rows = _table(metrics)
    page = Page("HIGlow, reproduced", f"Figures 2 and 3 of arXiv 2211.12724, on {evaluation.label}")
    other_maps = _other_maps(evaluation.test)
    if other_maps:
        page.section("Not the maps of the paper", other_maps)
    page.section("Beside the paper").table(headers, rows)
    with np.load(out / "calibration" / "posteriors.npz") as posteriors:
        pictures = paper_pictures(evaluation, posteriors)
    for picture in pictures + loss_pictures(history):
        add_pictures(page, picture.title, [picture], out / "figures")
    page.section("Where this differs from the paper", "\n\n".join(_DIFFERENCES))
    path = page.provenance((facts or {}) | evaluation.provenance).write(out / "report.html", overwrite=True)
    write_metrics(out / "metrics.json", metrics, overwrite=True)
    return path, (headers, rows)


def _other_maps(test):
    """What the maps are, in words, if they are not those of the paper."""
    redshift = "(not named)" if test.redshift is None else test.redshift
    is_redshift = test.redshift is not None and abs(test.redshift - _PAPER_REDSHIFT) < 0.005
    if is_redshift and str(test.suite).lower() == _PAPER_SUITE.lower():
        return ""
    return (
        f"These maps are of the suite {test.suite or '(not named)'} at redshift {redshift}. Those of the paper "
        f"are of {_PAPER_SUITE}, at z = {_PAPER_REDSHIFT}, and not public: numbers may be compared as orders of magnitude only."
    )


def _table(metrics):
    rows = []
    for name, metric in metrics.items():
        quoted = f"{PAPER[name]:.3f}" if name in PAPER else "-"
        rows.append((_LABELS[name], quoted, _number(metric), _NOTES[name]))
    return ("", "paper", "here", "how to read it"), rows


def _number(metric):
    if metric.value is None:
        return "-"
    if isinstance(metric.value, int):
        return str(metric.value)
    return f"{metric.value:.3f}" + ("" if metric.error is None else f" ± {metric.error:.3f}")
