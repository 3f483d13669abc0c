"""Writes a model as a SavedModel that serves without any package of ours."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from higlow_tf.errors import InputError
from higlow_tf.files import check_new, whole_path
from higlow_tf.inference.calibration import Calibration, chosen_calibration
from higlow_tf.inference.ensemble import ensemble_for
from higlow_tf.inference.marginal_likelihood import MarginalLikelihood
from higlow_tf.inference.typicality import TypicalityReference
from higlow_tf.map_transforms import inverse_map_transform, name_of_modelled_map
from higlow_tf.serving.model_card import CARD_FILE, make_model_card
from higlow_tf.serving.request_checks import MAX_EVALUATIONS, MAX_GRID_POINTS
from higlow_tf.serving.served_likelihood import CHUNK_SIZE
from higlow_tf.serving.signatures import make_signatures
from higlow_tf.serving.warmup import WARMUP_FILE, write_warmup_requests

__all__ = ["export_model"]

_VERSION = "1"
_VERSION_FILES = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra")
_INSIDE_PRIOR = "inside_prior: whether theta lies in the prior; outside of it the model extrapolates"
_DOCUMENTATION = {
    "log_prob": f"log-density of each {{modelled_map}}; also serving_default; {_INSIDE_PRIOR}",
    "sample": f"one map a row; a row depends on nothing but its own theta, seed and temperature; {_INSIDE_PRIOR}",
    "posterior": (
        "theta_grid: points of equal prior mass; one without points is replaced by the model's own (equally spaced, edges of "
        "the prior included, the last parameter varies fastest: 17 points for one parameter, 9 x 9 for two, 9 x 9 x 9 for three; "
        "with more it is an error), and mean, sd and covariance are then those of a spline through it; log_prob raw, mean, sd "
        "and covariance with the calibration applied; inside_prior: whether all points of the row lie in the prior; typicality: "
        "p-value of the map at its posterior mean, small if it is unlike the training maps, NaN if the model cannot tell; "
        f"at most {MAX_GRID_POINTS} points, and {MAX_EVALUATIONS} points times nuisance draws in all rows together"
    ),
}


def export_model(
    model,
    out_dir,
    *,
    calibration="stored",
    num_flows=None,
    nuisance=None,
    metrics=None,
    overwrite=False,
    xla=False,
    batch_size=None,
):
    """Exports a model to `out_dir/1`, in the layout of TensorFlow Serving.

    Files:
        saved_model.pb, variables/: the signatures log_prob (= serving_default), sample and posterior, in float32.
        assets.extra/model_card.json, assets.extra/tf_serving_warmup_requests.
        The folder `1` appears whole or not at all.

    Signatures (maps lack the axis C where the model has one channel; a map that is not finite, or for a model of log10 maps
    not positive, gives NaN):
        log_prob:  hi_map [B, H, W, C], theta [B, P] -> log_prob [B], inside_prior bool [B]
        sample:    theta [B, P], seed int64 [B, 2], temperature [B] -> hi_map [B, H, W, C], inside_prior bool [B]
        posterior: hi_map [B, H, W, C], theta_grid [B, G, P]
                   -> log_prob [B, G], posterior_mean [B, P], posterior_sd [B, P], posterior_covariance [B, P, P],
                      inside_prior bool [B], typicality [B]
        `inside_prior` says whether theta, or every point of the row's grid, lies in the prior.
        `typicality` is the p-value of the map at its posterior mean (`TypicalityReference`): small for a map that is unlike the
        training maps; NaN if the model's attribute `typicality` is None.
        A theta_grid without points, [B, 0, P], is replaced by the model's own: equally spaced points of the prior, edges
        included, 17 for one parameter, 9 x 9 for two, 9 x 9 x 9 for three. The moments are then those of a spline through the
        log-likelihoods. With more parameters it is an error.
        Theta are the parameters of interest. Nuisance parameters are integrated over in `posterior`, as in `infer`, and in
        `log_prob` over 32 draws of their prior, which takes a fortieth of the time and is rougher. They are drawn by the row's
        seed in `sample`, as in `model.sample({...})`.

    Refused (the graph checks it, and its error is a sentence):
        inputs of other shapes than these; inputs whose numbers of rows B differ;
        a grid of more than 16384 points; more than 2**20 points in all rows, B * G (with nuisance parameters, B * (G + 40) times
        their 32 draws).

    Args:
        model: `ConditionalGlow`, `HIFlow` or `TRENF`; or a `FlowEnsemble`, with a calibration of so many flows.
        out_dir: Folder of the served model; its name is the model's.
        calibration: "stored" for the model's own, a `Calibration`, or its configuration. With its tempering t, the posterior is
            proportional to exp(t * mean of log_prob over `num_symmetries` symmetric copies of the map and `num_flows` flows of
            the model's ensemble). The variance of each
            parameter becomes sd**2 + widening**2. None for the raw posterior of the map alone.
        num_flows: Flows of the model's ensemble over which the log-likelihood of `posterior` is averaged; None for those of the
            calibration, or 1 without one.
        nuisance: Names of the parameters that are not asked for; None for the model's own. With () the model is served at all
            its parameters, and a calibration of marginal posteriors is refused.
        metrics: For the card: name -> `Metric`, or dict with value, error, floor and n_simulations.
        overwrite: Whether an existing `out_dir/1` may be replaced.
        xla: Whether XLA compiles the flow. TensorFlow Serving takes such a model only with extra flags.
        batch_size: The one batch size of every signature; with `xla`, and only then.

    Returns:
        The path `out_dir/1`.

    Raises:
        InputError: If `out_dir/1` exists and `overwrite` is false, if it cannot be written, or if an argument is wrong.

    References:
        [1] https://www.tensorflow.org/tfx/serving/serving_basic
    """
    version = check_new(Path(out_dir) / _VERSION, overwrite, is_folder=True, own_names=_VERSION_FILES)
    name = Path(out_dir).resolve().name
    marginal = MarginalLikelihood(model, nuisance)
    calibration = chosen_calibration(model, calibration)
    served = ensemble_for(model, num_flows, calibration)
    calibration = _served_calibration(calibration, served, marginal.parameters)
    _check_batch_size(xla, batch_size)
    flows = [_float32_copy(flow) for flow in getattr(served, "flows", (served,))]
    signatures = make_signatures(
        flows[0],
        others=flows[1:],
        **{name: calibration[name] for name in ("tempering", "widening", "num_symmetries", "nuisance_draws")},
        nuisance=marginal.nuisance,
        typicality=_typicality_reference(model, marginal.parameters),
        batch_size=batch_size,
        jit_compile=xla,
    )
    card = make_model_card(
        served,
        name,
        nuisance=marginal.nuisance,
        signatures=_describe(signatures, name_of_modelled_map(model.map_transform)),
        calibration=calibration,
        metrics=metrics,
    )
    # Only the variables are attached. Everything that is attached to the module is stored, and layers would add their copies.
    module = tf.Module()
    module.flow_variables = [variable.value for flow in flows for variable in flow.weights]
    # The gradient of the rolled loop is Python code of ours, and serving needs none.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    with whole_path(version, overwrite, is_folder=True, own_names=_VERSION_FILES) as part:
        (part / CARD_FILE).parent.mkdir(parents=True)
        (part / CARD_FILE).write_text(card, encoding="utf-8")
        write_warmup_requests(
            part / WARMUP_FILE, name, _warmup_requests(flows[0], marginal.parameters, batch_size or 1)
        )
        tf.saved_model.save(module, str(part), signatures=signatures, options=options)
    return version


def _float32_copy(model):
    copy = type(model).from_config({**model.get_config(), "dtype": "float32"})
    for target, source in zip(copy.weights, model.weights, strict=True):
        target.assign(source.numpy())
    return copy


def _served_calibration(calibration, served, parameters):
    """The numbers of a calibration that the graph applies, with a widening for every parameter; JSON-compatible."""
    calibration = calibration or Calibration(num_flows=len(getattr(served, "flows", (served,))))
    calibration.check_parameters(parameters.names)
    return ({} if calibration.num_flows == 1 else {"num_flows": calibration.num_flows}) | {
        "tempering": calibration.tempering,
        "widening": calibration.widening_of(len(parameters)).tolist(),
        "num_symmetries": calibration.num_symmetries,
        "nuisance_draws": calibration.nuisance_draws,
    }


def _typicality_reference(model, parameters):
    """The `TypicalityReference` of a model, which may hold its configuration, as runs store it; or None."""
    reference = model.typicality
    reference = TypicalityReference.from_config(reference) if isinstance(reference, Mapping) else reference
    # One of other posteriors says nothing of the means of these.
    return reference if reference is None or reference.parameters.names == parameters.names else None


def _check_batch_size(xla, batch_size):
    if xla != (batch_size is not None):
        raise InputError(
            f"Expected a batch size with xla, and none without. Received: xla={xla}, batch_size={batch_size}."
        )
    if batch_size is not None and batch_size < 1:
        raise InputError(f"Expected a positive batch size. Received: {batch_size}.")


def _describe(signatures, modelled_map):
    """Names, dtypes and shapes of the signatures for the card; None is any size."""

    def tensors(specs):
        return {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in specs.items()}

    described = {}
    for name, documentation in _DOCUMENTATION.items():
        function = signatures[name]
        described[name] = {
            "inputs": tensors({spec.name: spec for spec in function.structured_input_signature[0]}),
            "outputs": tensors(function.structured_outputs),
            "documentation": documentation.format(modelled_map=modelled_map),
        }
    return described


def _warmup_requests(flow, parameters, batch_size):
    """One request a signature: constant maps of the training maps' mean, at the middle of the prior."""
    num_parameters = len(parameters)
    middle = parameters.denormalize(np.zeros(num_parameters)).astype(np.float32)
    theta = np.broadcast_to(middle, (batch_size, num_parameters))
    shape = (batch_size, flow.map_size, flow.map_size, flow.num_channels)
    maps = np.broadcast_to(inverse_map_transform(flow.map_shift.numpy(), flow.map_transform), shape).astype(np.float32)
    maps = maps[..., 0] if flow.num_channels == 1 else maps
    seeds = np.stack([np.zeros(batch_size), np.arange(batch_size)], axis=-1).astype(np.int64)
    grid = np.broadcast_to(middle, (batch_size, CHUNK_SIZE, num_parameters))
    return [
        ("log_prob", {"hi_map": maps, "theta": theta}),
        ("serving_default", {"hi_map": maps, "theta": theta}),
        ("sample", {"theta": theta, "seed": seeds, "temperature": np.ones(batch_size, np.float32)}),
        ("posterior", {"hi_map": maps, "theta_grid": grid}),
    ]
