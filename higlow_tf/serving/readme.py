"""The card of a published model as a page for people. It is made from the card for machines."""

__all__ = ["make_readme"]

# What matters most, in words; all other metrics are in the card inside the SavedModel.
_METRICS = {
    "nll_nats_per_pixel": "density: negative log-density, nats per pixel of the log10 map",
    "gap_to_exact_nats_per_pixel": "the same, minus that of the exact density",
    "rmse_{parameter}": "{parameter}: RMSE of the posterior mean",
    "r2_{parameter}": "{parameter}: R2 of the posterior mean",
    "coverage_68": "truths inside 68 % regions (0.68 if calibrated)",
    "pull2": "mean squared pull (1 if calibrated)",
    "information_gain_nats": "what one map tells: log of posterior over prior density at the truth, nats",
    "power_log10_mean_ratio_worst_deviation": "P(k) of log10 maps, mean: worst bin, abs(generated / simulated - 1)",
    "power_log10_sd_ratio_worst_deviation": "P(k) of log10 maps, scatter: worst bin, abs(generated / simulated - 1)",
    "power_overdensity_mean_ratio_worst_deviation": "P(k) of the overdensity, mean: worst bin, the same",
    "classifier_auc": "a linear classifier of 91 features ranks a generated and a simulated map rightly (0.5 if it cannot)",
    "classifier_trees_auc": "boosted trees, the same",
    "classifier_maps_auc": "a convolutional network on maps, the same",
    "nonfinite_samples": "generated maps with pixels that are not finite",
    "unusable_samples": "generated maps with pixels that are not finite and positive",
}

# Of other methods, beside the same of this model.
_OF_RIVALS = {
    "information_gain_nats": "gain, nats",
    "rmse_{parameter}": "RMSE {parameter}",
    "coverage_68": "in 68 % regions",
    "pull2": "pull²",
}

_PAGE = """# {name}

{summary} {num_trainable_weights:,} weights, maps of {map_size}x{map_size} pixels.

## What is here

| file | what it is |
|---|---|
| `run/` | the training run without its checkpoints: `higlow_tf.load_model("run")`, and every command that takes a run |
| `1/` | the same model as a TensorFlow SavedModel, for TensorFlow Serving; needs no package of ours |
| `examples.npz` | a few simulated maps that it was not trained on, with their parameters |
| `reference.json` | what the model answered when it was published; a test compares every copy with it |

```python
import numpy as np
import higlow_tf as hg

model = hg.load_model("run")
maps = model.sample({{{middle}}}, seed=0)
posterior = hg.inference.infer(model, np.load("examples.npz")["hi_maps"])
print(posterior.mean, posterior.sd)
```

## Data

| | |
|---|---|
{data}

Maps of {suite}: the model knows these simulations and no others.

## Metrics

On simulations that the model was not trained on; errors are standard errors over simulations, the floor is what simulations show
against each other. The rest is in `1/assets.extra/model_card.json`.

| what | value | error | floor | simulations |
|---|---|---|---|---|
{metrics}

Posteriors have the calibration {calibration} applied.

{more}## It must not be used for

{limits}
"""


def make_readme(card):
    """Writes the card of a model in Markdown.

    Args:
        card: Content of the model card (`make_model_card`) of a model with a record of its training maps.

    Returns:
        The text.
    """
    data, split = card["data"], card["split"]
    parts = ", ".join(f"{name} {number}" for name, number in split["num_simulations"].items())
    rows = {
        "trained on": ", ".join(data["source"]),
        "content": data["content_hash"],
        "suite": data["suite"],
        "redshift": data["redshift"],
        "box": f"{data['box_size_mpc_h']:g} Mpc/h, periodic",
        "pixels": f"{card['map_size']} a side, {card['units']['hi_map']}",
        "simulations": f"{parts}; split by simulation, seed {split['seed']}",
        "parameters": _priors(card["parameters"]),
    }
    if card["nuisance"]:
        rows["nuisance parameters, drawn for maps and integrated over in posteriors"] = _priors(card["nuisance"])
    return _PAGE.format(
        **{key: card[key] for key in ("name", "summary", "num_trainable_weights", "map_size")},
        middle=", ".join(f'"{entry["name"]}": {_middle(entry):.3g}' for entry in card["parameters"]),
        data="\n".join(f"| {name} | {value} |" for name, value in rows.items()),
        suite=data["suite"],
        metrics="\n".join(_metric_rows(card)),
        calibration="; ".join(f"{name} {_numbers(value)}" for name, value in card["calibration"].items()),
        more="".join(f"{section}\n\n" for section in (*_changes(card), *_rivals(card))),
        limits="\n".join(f"- {limit}" for limit in card["must_not_be_used_for"]),
    )


def _changes(card):
    if card.get("changes"):
        yield "## What changed\n\n" + "\n".join(f"- {change}" for change in card["changes"])


def _rivals(card):
    """Other methods beside this model: posteriors of one map."""
    if not card.get("rivals"):
        return
    names = [parameter["name"] for parameter in card["parameters"]]
    columns = {
        key.format(parameter=name): text.format(parameter=name)
        for key, text in _OF_RIVALS.items()
        for name in (names if "{parameter}" in key else names[:1])
    }
    lines = [
        "## Beside other methods",
        "",
        "Posteriors of one map, each with its own repair, on maps of the same test simulations (`python -m benchmarks.rivals`). "
        "± is the standard error over simulations.",
        "",
        f"| | {' | '.join(columns.values())} |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for title, metrics in {"this model": card["metrics"] or {}, **card["rivals"]}.items():
        lines.append(f"| {title} | {' | '.join(_with_error(metrics.get(key)) for key in columns)} |")
    yield "\n".join(lines)


def _with_error(metric):
    if metric is None or metric["value"] is None:
        return "-"
    return f"{metric['value']:.3g}" + ("" if metric["error"] is None else f" ± {metric['error']:.2g}")


def _priors(parameters):
    return "; ".join(f"{entry['name']} {entry['prior']} {entry['low']:g}-{entry['high']:g}" for entry in parameters)


def _middle(parameter):
    low, high = parameter["low"], parameter["high"]
    return (low * high) ** 0.5 if parameter["prior"] == "log-uniform" else (low + high) / 2


def _metric_rows(card):
    for name, text in _METRICS.items():
        parameters = [parameter["name"] for parameter in card["parameters"]] if "{parameter}" in name else [""]
        for parameter in parameters:
            metric = (card["metrics"] or {}).get(name.format(parameter=parameter))
            if metric is not None:
                numbers = [_number(metric[key]) for key in ("value", "error", "floor")]
                cells = (text.format(parameter=parameter), *numbers, metric["n_simulations"] or "-")
                yield "| " + " | ".join(str(cell) for cell in cells) + " |"


def _numbers(value):
    return ", ".join(map(_number, value)) if isinstance(value, list) else _number(value)


def _number(value):
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
