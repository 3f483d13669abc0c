# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The demo in Python
#
# Everything that `make demo` does, with public names only: simulate mock maps, train, judge, calibrate, draw, infer, export,
# and one page at the end. With the sizes below it takes about ten minutes on two cores.

# %%
from pathlib import Path

import higlow_tf as hg

out = Path("demo_in_python")
size = {"simulations": 120, "map_size": 32, "max_minutes": 5.0, "preset": "compact", "model": {"model.num_levels": 3}}

# %%
maps, params, _ = hg.data.mock.write_mock(out / "data", simulations=size["simulations"], map_size=size["map_size"])
length = {"epochs": size.get("epochs"), "max_minutes": size["max_minutes"]}
run = hg.runs.train(preset=size["preset"], maps=maps, params=params, out=out / "run", settings=size["model"], **length)
model, train, validation, test = run.model, run.data("train"), run.data("validation"), run.data("test")

# %%
evaluation = hg.evaluation.evaluate_model(model, test, training=train.maps)
print(evaluation.verdict())

# %%
fit, judgement = hg.evaluation.calibrate(model, validation, test)
run.store_calibration(fit)
metrics = evaluation.metrics | judgement.metrics
print(f"truths inside 68 % regions: {metrics['coverage_68'].value:.2f} ± {metrics['coverage_68'].error:.2f}")

# %%
hg.models.write_samples(model, model.parameters.middle[None].repeat(64, axis=0), out / "samples.npy")
hg.serving.export_model(model, out / "saved_model", metrics=metrics)
posterior = hg.inference.infer(model, test.maps[:3])
page, verdict = hg.reports.write_demo(
    evaluation, judgement, posterior, test.theta[:3], out, fit=fit, history=run.history
)
print(f"open {page}")
