"""The numbers of an evaluation, as they are written to metrics.json."""

from dataclasses import replace

import numpy as np

from higlow_tf.data import lognormal
from higlow_tf.diagnostics import Metric, density_score, paired_difference
from higlow_tf.evaluation.rule import worst_bin

__all__ = ["evaluation_metrics", "power_metric", "worst_of_spread", "worst_of_summary"]

_EXACT_SUITE = "Lognormal"


def evaluation_metrics(evaluation):
    """All numbers of an `Evaluation`, by name."""
    test, statistics = evaluation.test, evaluation.statistics
    metrics = {**_density_metrics(test, evaluation.log_prob), **_sample_metrics(evaluation)}
    for name, comparison in statistics.powers.items():
        metrics |= _power_metrics(f"power_{name}", comparison)
    if statistics.pdf is not None:
        metrics |= _pixel_metrics(statistics.pdf)
    for name, comparison in statistics.summaries.items():
        metrics[f"{name}_worst_deviation"] = _metric_at(comparison, worst_of_summary(comparison), "deviation")
    metrics |= _spread_metrics(statistics.spread) | _structure_metrics(statistics) | _classifier_metrics(statistics)
    if evaluation.symmetry is not None:
        symmetry = evaluation.symmetry
        metrics["symmetry_defect_nats_per_pixel"] = Metric(
            symmetry.sd_nats_per_pixel, symmetry.error, n_simulations=test.num_simulations
        )
    return metrics | ({} if evaluation.posteriors is None else evaluation.posteriors.metrics)


def worst_of_summary(comparison):
    """`worst_bin` of a `SummaryComparison`."""
    return worst_bin(comparison.deviation, comparison.error, comparison.floor)


def worst_of_spread(spread):
    """`worst_bin` of a `SpreadComparison`: its quantity that is farthest off."""
    return worst_bin(spread.ratio - 1.0, spread.error, spread.floor)


def power_metric(comparison, statistic, index=None):
    """The ratio "mean" or "sd" in one bin of P(k), and this bin. By default it is the worst bin."""
    ratio, error, floor = (getattr(comparison, f"{statistic}_ratio{end}") for end in ("", "_error", "_floor"))
    index = worst_bin(ratio - 1.0, error, floor) if index is None else index
    return _metric(ratio, error, floor, index, comparison.num_generated_simulations), index


def _metric(values, error, floor, index, num_simulations):
    at = [None if series is None else float(series[index]) for series in (values, error, floor)]
    return Metric(*at, n_simulations=num_simulations)


def _metric_at(comparison, index, name):
    """The size of a deviation, with error and floor, in one bin."""
    metric = _metric(
        getattr(comparison, name), comparison.error, comparison.floor, index, comparison.num_generated_simulations
    )
    return Metric(abs(metric.value), metric.error, metric.floor, metric.n_simulations)


def _density_metrics(test, log_prob):
    num_pixels = test.map_size**2 * test.num_channels
    num_bad = int(np.sum(~np.isfinite(log_prob)))
    metrics = {"nonfinite_log_prob": Metric(num_bad, floor=0, n_simulations=test.num_simulations)}
    if num_bad:
        # A mean over the rest would hide exactly those maps that the model cannot explain.
        return {"nll_nats_per_pixel": Metric(None, n_simulations=test.num_simulations), **metrics}
    metrics = {"nll_nats_per_pixel": density_score(log_prob, test.simulation, num_pixels), **metrics}
    if test.suite == _EXACT_SUITE and test.parameters.names == ("Omega_m", "sigma_8"):
        exact = lognormal.log_prob(test.maps, test.theta, test.box_size_mpc_h)
        metrics["gap_to_exact_nats_per_pixel"] = paired_difference(
            exact / num_pixels, log_prob / num_pixels, test.simulation
        )
    return metrics


def _sample_metrics(evaluation):
    num_simulations = len(np.unique(evaluation.test.simulation[evaluation.rows]))
    checks = evaluation.checks
    counts = {
        "nonfinite_samples": checks.num_nonfinite,
        "unusable_samples": int(np.sum(~evaluation.is_usable)),
        "unusable_samples_at_cosmologies": evaluation.num_unusable_at_cosmologies,
        "out_of_range_samples": checks.num_out_of_range,
        "pixel_fraction_out_of_range": checks.fraction_pixels_out_of_range,
    }
    return {name: Metric(count, floor=0, n_simulations=num_simulations) for name, count in counts.items()}


def _power_metrics(name, comparison):
    metrics = {}
    for statistic in ("mean", "sd"):
        worst, _ = power_metric(comparison, statistic)
        prefix = f"{name}_{statistic}_ratio"
        metrics[f"{prefix}_worst_deviation"] = Metric(
            abs(worst.value - 1.0), worst.error, worst.floor, worst.n_simulations
        )
        metrics |= {
            f"{prefix}_at_k_h_mpc_{k:.3f}": power_metric(comparison, statistic, index)[0]
            for index, k in enumerate(comparison.k_h_mpc)
        }
    return metrics


def _pixel_metrics(pdf):
    number = pdf.num_generated_simulations
    metrics = {
        "pixel_fraction_outside_real_range": Metric(pdf.generated_fraction_outside, n_simulations=number),
        "pixel_pdf_ratio_worst_in_1_to_99_percent": Metric(
            pdf.worst_central_ratio, pdf.worst_central_ratio_error, pdf.worst_central_ratio_floor, number
        ),
    }
    for index, side in enumerate(("below", "above")):
        values = (pdf.tail_ratio, pdf.tail_ratio_error, pdf.tail_ratio_floor)
        metrics[f"pixel_tail_ratio_{side}"] = _metric(*values, index, number)
    return metrics


def _structure_metrics(statistics):
    """Correlation, response, single cosmologies and distances, if they were measured."""
    metrics, correlation, power_r2 = {}, statistics.correlation, statistics.power_r2
    if correlation is not None:
        metrics["power_correlation_mean_difference"] = Metric(
            correlation.mean_difference,
            correlation.mean_difference_error,
            correlation.mean_difference_floor,
            correlation.num_generated_simulations,
        )
    metrics |= _response_metrics(statistics.response)
    if power_r2 is not None:
        floor_r2, number = power_r2.floor_r2, len(power_r2.r2)
        floors = [None, None] if floor_r2 is None else [float(np.median(floor_r2)), float(np.min(floor_r2))]
        metrics["power_r2_median"] = Metric(power_r2.median, power_r2.median_error, floors[0], number)
        metrics["power_r2_minimum"] = Metric(power_r2.minimum, None, floors[1], number)
    if statistics.nearest is not None:
        metrics["nearest_training_distance_ratio"] = Metric(statistics.nearest.ratio, statistics.nearest.error)
        metrics["nearest_training_p_value"] = Metric(statistics.nearest.p_value)
    return metrics


def _classifier_metrics(statistics):
    tests = {
        "classifier_auc": statistics.classifier,
        "classifier_trees_auc": statistics.trees,
        "classifier_maps_auc": statistics.map_classifier,
    }
    return {
        name: Metric(test.auc, test.error, test.floor, test.num_real_simulations)
        for name, test in tests.items()
        if test is not None
    }


def _spread_metrics(spread):
    """Of each quantity the ratio of spreads, and how much of the simulated variance lies between simulations."""
    if spread is None:
        return {}
    number, worst = spread.num_generated_simulations, worst_of_spread(spread)
    ratios = [_metric(spread.ratio, spread.error, spread.floor, index, number) for index in range(len(spread.names))]
    metrics = {"spread_ratio_worst_deviation": replace(ratios[worst], value=abs(ratios[worst].value - 1.0))}
    metrics |= {f"spread_ratio_{name}": ratio for name, ratio in zip(spread.names, ratios, strict=True)}
    if spread.share_between is not None:
        shares = spread.share_between, spread.share_between_error, None
        metrics |= {
            f"simulated_share_between_simulations_{name}": _metric(*shares, index, spread.num_real_simulations)
            for index, name in enumerate(spread.names)
        }
    return metrics


def _response_metrics(response):
    metrics = {}
    for row, name in enumerate([] if response is None else response.parameter_names):
        series = (response.difference, response.difference_error, response.floor)
        series = [None if values is None else values[row] for values in series]
        worst = _metric(*series, worst_bin(*series), response.num_generated_simulations)
        metrics[f"power_response_{name}_worst_deviation"] = Metric(
            abs(worst.value), worst.error, worst.floor, worst.n_simulations
        )
    return metrics
