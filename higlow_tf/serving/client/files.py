"""What a served model answers, in files: of the same forms as those that `higlow sample` and `higlow infer` write."""

from pathlib import Path

import h5py
import numpy as np

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.files import whole_path

__all__ = ["named_parameters", "write_log_prob", "write_served_samples"]

_DEFAULT_NAMES = ("Omega_m", "sigma_8")


def named_parameters(client):
    """`ParameterSpace` of theta: that of the card; without a card Omega_m and sigma_8, if the model has two parameters.

    Raises:
        InputError: If nobody knows the names.
    """
    if client.parameters is not None:
        return client.parameters
    num_parameters = client.num_parameters
    if num_parameters != len(_DEFAULT_NAMES):
        raise InputError(
            f"Expected the model card of a model of {num_parameters} parameters, for their names (NAME/1/assets.extra/"
            "model_card.json). Received: none."
        )
    return ParameterSpace.from_names(_DEFAULT_NAMES)


def write_served_samples(client, theta, out, *, seed=0, temperature=1.0, progress=None):
    """Writes one map for each row of theta, drawn by a server. Files, arguments and what is returned: `write_samples`."""
    from higlow_tf.models.sample_files import write_samples

    return write_samples(_SampledModel(client), theta, out, seed=seed, temperature=temperature, progress=progress)


def write_log_prob(log_prob, theta, names, out, *, overwrite=False):
    """Writes log-densities, whole or not at all.

    Files:
        .npy: float32 `[N]`. .h5: datasets log_prob `[N]` and theta `[N, P]`, attribute parameters (names).

    Returns:
        How many are NaN or infinite. They are kept.

    Raises:
        InputError: If the file has another suffix, exists and may not be replaced, or cannot be written.
    """
    out = Path(out)
    if out.suffix not in (".npy", ".h5"):
        raise InputError(f"--out: expected a file name that ends in .npy or .h5. Received: {out}.")
    with whole_path(out, overwrite) as part:
        if out.suffix == ".npy":
            np.save(part, log_prob)
        else:
            with h5py.File(part, "w") as h5:
                h5["log_prob"], h5["theta"] = log_prob, theta
                h5.attrs["parameters"] = list(names)
    return int(np.sum(~np.isfinite(log_prob)))


class _SampledModel:
    """A client as `write_samples` sees a model."""

    def __init__(self, client):
        self.parameters = named_parameters(client)
        self.map_transform, self.sample = client.map_transform, client.sample
        shape = client.signatures["sample"]["outputs"]["hi_map"][1]
        self.map_size, self.num_channels = shape[1], shape[3] if len(shape) == 4 else 1
        card = client.card()
        self.split = None if card is None else {"units": card["units"]["hi_map"]}
