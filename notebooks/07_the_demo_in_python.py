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
# This notebook does everything that `make demo` does, with public names only. It simulates mock maps, trains a model, judges
# it, calibrates its posteriors, draws maps, exports the model and infers parameters. It ends with one page. With the sizes
# below it takes as long as the demo: about seven minutes on two cores.
#
# The outputs that are stored here are of a smaller run: 80 simulations of 16x16 pixels, preset `tiny`, 6 epochs.

# %%
from pathlib import Path

import higlow_tf as hg

out = Path("demo_in_python")
mock = {"simulations": 120, "map_size": 32}
training = {
    "preset": "compact",
    "nuisance": "none",  # four parameters more take longer than a few minutes to learn
    "max_minutes": 5.0,
    "epochs": 10_000,
    "settings": {"model.num_levels": 3},
}
of_maps = hg.evaluation.EvaluationOptions(num_posteriors=0)
of_posteriors = hg.evaluation.CalibrationOptions(maps_per_simulation=4, num_symmetries=2)

# %%
maps, params, _ = hg.data.mock.write_mock(out / "data", **mock)
run = hg.runs.train(maps=maps, params=params, out=out / "run", **training)
model, train, validation, test = run.model, run.data("train"), run.data("validation"), run.data("test")

# %%
evaluation = hg.evaluation.evaluate_model(model, test, of_maps, training=train.maps)
print(evaluation.verdict())

# %%
fit, judgement = hg.evaluation.calibrate(model, validation, test, of_posteriors)
run.store_calibration(fit)
print(judgement.sets[""].verdict)

# %%
hg.models.write_samples(model, model.parameters.middle[None].repeat(64, axis=0), out / "samples.npy")
hg.serving.export_model(model, out / "saved_model", metrics=evaluation.metrics | judgement.metrics)
posterior = hg.inference.infer(model, test.maps[:3])
page, verdict = hg.reports.write_demo(
    evaluation, judgement, posterior, test.theta[:3], out, fit=fit, history=run.history
)
print(f"open {page}")
