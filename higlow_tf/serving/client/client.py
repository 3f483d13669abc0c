"""Asks a served model, in batches, and gives NumPy arrays."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.serving.client.card import Card
from higlow_tf.serving.client.errors import ServerError
from higlow_tf.serving.client.grpc_transport import GrpcTransport
from higlow_tf.serving.client.rest_transport import RestTransport
from higlow_tf.serving.client.retry import with_retries
from higlow_tf.serving.client.served_posterior import ServedPosterior

__all__ = ["Client"]

# Evaluations of the flow in one request for posteriors: a minute or two on a CPU core, below the usual deadlines.
_EVALUATIONS_PER_REQUEST = 4096
# Counted for a grid that the model knows, which may have 32 nuisance draws a point.
_POINTS_OF_OWN_GRID = 1024
_UNLIKELY = 0.01
_MOST_SENTENCES = 12


class Client:
    """A served model, of `higlow serve` or of TensorFlow Serving.

    It answers as the model itself does: a row depends on nothing but its own inputs, so that batches and retries change nothing.
    Repeated are requests to a server that is not there, or that has too much to do; a request that was refused is not.

    Args:
        address: "HOST:PORT" for gRPC (extra `serve`), or "http://HOST:PORT" for REST.
        model: Name of the model.
        version: Number of the version; None for the newest.
        card: Path of the model card (NAME/1/assets.extra/model_card.json): it knows the names and the prior of the parameters,
            which neither protocol can tell. None without it.
        batch_size: Rows of a request.
        num_connections: Requests under way at a time. Several replicas work on several.
        timeout_s: Time after which a request is given up.
        num_retries: How often a request is repeated.

    Raises:
        InputError: If an argument is wrong, or gRPC is asked for without the extra.

    Example:
        with Client("http://localhost:8501", model="compact_mock") as client:
            maps = client.sample([[0.3, 0.8]], seed=0)
    """

    def __init__(
        self,
        address,
        model,
        *,
        version=None,
        card=None,
        batch_size=64,
        num_connections=4,
        timeout_s=600.0,
        num_retries=5,
    ):
        for name, value in (("batch_size", batch_size), ("num_connections", num_connections), ("timeout_s", timeout_s)):
            if not value > 0:
                raise InputError(f"{name}: expected a positive number. Received: {value!r}.")
        transport = RestTransport if "://" in address else GrpcTransport
        self._transport = transport(address, model, version, timeout_s)
        self._card = None if card is None else Card.read(card)
        self._batch_size, self._num_retries = batch_size, num_retries
        self._pool = ThreadPoolExecutor(num_connections, thread_name_prefix="client")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the connections."""
        self._pool.shutdown(cancel_futures=True)
        self._transport.close()

    def card(self):
        """The content of the model card that was given, or None."""
        return None if self._card is None else self._card.content

    def card_sentences(self):
        """What the model card says of the model and of what it must not be used for: sentences, none without a card."""
        return () if self._card is None else self._card.sentences

    @property
    def parameters(self):
        """`ParameterSpace` of theta, from the card; None without one."""
        return None if self._card is None else self._card.parameters

    @property
    def calibration(self):
        """`Calibration` of the model, from the card; None without one. With both, `higlow_tf.inference.infer` takes a client."""
        return None if self._card is None else self._card.calibration

    @property
    def map_transform(self):
        """Whether maps must be positive, "log10", or not, "identity"; from the card, and "log10" without one."""
        return (
            "log10" if self._card is None else self._card.content.get("model_config", {}).get("map_transform", "log10")
        )

    @cached_property
    def signatures(self):
        """What the server says of the model: for each signature "inputs" and "outputs", name -> (dtype, shape)."""
        return with_retries(self._transport.signatures, self._num_retries)

    @property
    def num_parameters(self):
        """Number of columns of theta, P."""
        return self._input("sample", "theta")[1][-1]

    def sample(self, theta, seed=0, temperature=1.0, *, first_row=0, progress=None):
        """New maps, `[N, P]` -> float32 `[N, H, W]` (`[N, H, W, C]` with channels), physical.

        The same as `sample` of the model: row i uses the stateless seed (seed, first_row + i).

        Args:
            theta: Parameters, physical, one row a map.
            seed: Integer from 0 on.
            temperature: Factor of the latents' standard deviation.
            first_row: Number of the first row, to draw part of a larger draw.
            progress: Called as `progress("maps", done, total)`, or None.

        Raises:
            ServerError: If the server refuses a request or cannot be reached.

        Warns:
            InputWarning: If rows lie outside the prior.
        """
        theta = _rows(theta, "theta", 2)
        rows = np.arange(first_row, first_row + len(theta), dtype=np.int64)
        inputs = {
            "theta": theta,
            "seed": np.stack([np.full(len(theta), seed, np.int64), rows], axis=1),
            "temperature": np.full(len(theta), temperature, np.float32),
        }
        outputs = self._ask("sample", inputs, self._batch_size, "maps", progress)
        _warn_outside(outputs, first_row)
        return outputs["hi_map"]

    def log_prob(self, hi_maps, theta, *, progress=None):
        """Log-density of each modelled map (the card says which), `[N, H, W]`, `[N, P]` -> float32 `[N]`, nats, or NaN.

        Args, raises and warns as `sample`.
        """
        inputs = {"hi_map": _rows(hi_maps, "hi_maps", 3, 4), "theta": _rows(theta, "theta", 2)}
        _check_as_many(inputs)
        outputs = self._ask("log_prob", inputs, self._batch_size, "densities", progress)
        _warn_outside(outputs)
        return outputs["log_prob"]

    def posterior(self, hi_maps, theta_grid=None, *, progress=None):
        """Posteriors of the parameters of maps, with the calibration of the model.

        Args:
            hi_maps: Physical maps `[N, H, W]` (`[N, H, W, C]` with channels).
            theta_grid: Points of equal prior mass, `[G, P]`; None for the model's own. REST has no word for a grid without
                points: it needs a card, and sends 64, 12 x 12 or 9 x 9 x 9 centres of equal cells of the prior.
            progress: Called as `progress("posteriors", done, total)`, or None.

        Returns:
            `ServedPosterior`.

        Raises:
            ServerError: If the server refuses a request or cannot be reached.
            InputError: If there is no grid, and none can be asked for.

        Warns:
            InputWarning: If maps are unlike the training maps, or points lie outside the prior.
        """
        hi_maps = _rows(hi_maps, "hi_maps", 3, 4)
        grid = self._grid(theta_grid)
        num_points = len(grid) or _POINTS_OF_OWN_GRID
        rows = max(1, min(self._batch_size, _EVALUATIONS_PER_REQUEST // num_points))
        inputs = {"hi_map": hi_maps, "theta_grid": np.broadcast_to(grid, (len(hi_maps), *grid.shape))}
        outputs = self._ask("posterior", inputs, rows, "posteriors", progress)
        _warn_outside(outputs)
        _warn_unlike(outputs)
        return ServedPosterior(
            mean=outputs["posterior_mean"],
            sd=outputs["posterior_sd"],
            log_prob=outputs["log_prob"],
            theta_grid=grid if len(grid) else None,
            inside_prior=outputs.get("inside_prior"),
            typicality=outputs.get("typicality"),
            parameters=None if self.parameters is None else self.parameters.names,
        )

    def _grid(self, theta_grid):
        if theta_grid is not None:
            return _rows(theta_grid, "theta_grid", 2)
        num_parameters = self._input("posterior", "theta_grid")[1][-1]
        # Models have a grid of their own since they have this output.
        if self._transport.can_send_empty and "inside_prior" in self.signatures["posterior"]["outputs"]:
            return np.zeros((0, num_parameters), np.float32)
        if self._card is None:
            raise InputError(
                "posterior: expected points theta_grid [G, P], a model card (--card NAME/1/assets.extra/model_card.json), or an "
                "address of gRPC (HOST:8500): over REST there is no word for a grid without points, and models of version 0.1 "
                "have none of their own. Received: none of them."
            )
        return self._card.centres().astype(np.float32)

    def _input(self, signature, name):
        try:
            return self.signatures[signature]["inputs"][name]
        except KeyError:
            raise ServerError(
                f"{self._transport.address}: expected a model with the signature {signature} of {name}. "
                f"Received: one with {', '.join(sorted(self.signatures))}.",
                "NOT_FOUND",
            ) from None

    def _ask(self, signature, inputs, batch_size, stage, progress):
        """Outputs of all rows, in their order and with the dtypes of the signature."""
        total = len(next(iter(inputs.values())))
        if total == 0:
            raise InputError("Expected at least one row. Received: none.")
        for name in inputs:
            self._input(signature, name)
        described = self.signatures[signature]["outputs"]
        batches = [
            {name: value[start : start + batch_size] for name, value in inputs.items()}
            for start in range(0, total, batch_size)
        ]
        futures = [self._pool.submit(self._ask_once, signature, batch, list(described)) for batch in batches]
        parts = []
        try:
            for index, future in enumerate(futures):
                parts.append(future.result())
                if progress is not None:
                    progress(stage, min((index + 1) * batch_size, total), total)
        finally:
            for future in futures:
                future.cancel()
        return {name: np.concatenate([part[name] for part in parts]).astype(described[name][0]) for name in parts[0]}

    def _ask_once(self, signature, batch, output_names):
        return with_retries(lambda: self._transport.predict(signature, batch, output_names), self._num_retries)


def _rows(values, name, *ranks):
    try:
        array = np.asarray(values, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: expected an array of numbers. Received: {type(values).__name__} ({error})."
        ) from error
    if array.ndim not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise InputError(f"{name}: expected an array of {wanted} axes, rows first. Received: shape {array.shape}.")
    return array


def _check_as_many(inputs):
    lengths = {name: len(value) for name, value in inputs.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise InputError(f"Expected as many rows of each. Received: {found}.")


def _warn_outside(outputs, first_row=0):
    inside = outputs.get("inside_prior")
    if inside is None or inside.all():
        return
    rows = np.flatnonzero(~inside) + first_row
    warnings.warn(
        f"The model extrapolates: {len(rows)} of {len(inside)} rows lie outside its prior, row {rows[0]} first.",
        InputWarning,
        stacklevel=3,
    )


def _warn_unlike(outputs):
    p_values = outputs.get("typicality")
    if p_values is None:
        return
    rows = np.flatnonzero(p_values < _UNLIKELY)
    sentences = [f"map {row}: unlike the training maps (p = {p_values[row]:.2g})." for row in rows[:_MOST_SENTENCES]]
    if len(rows) > _MOST_SENTENCES:
        sentences.append(f"... and {len(rows) - _MOST_SENTENCES} more maps like these.")
    for sentence in sentences:
        warnings.warn(sentence, InputWarning, stacklevel=3)
