"""All served models of one process, and the one thread that computes."""

import asyncio

from higlow_tf.serving.server.batcher import Batcher
from higlow_tf.serving.server.loaded_version import DEFAULT_SIGNATURE
from higlow_tf.serving.server.refusals import Code, Refusal, refusal_of
from higlow_tf.serving.server.served_model import ServedModel

__all__ = ["ModelServer"]


class ModelServer:
    """Answers requests that are already arrays.

    Args:
        folders: Name of each model -> its folder.
        limits: `Limits`.
        max_batch: Most rows that are joined into one call.
        poll_seconds: How often the folders are looked at for a newer version.
    """

    def __init__(self, folders, limits, *, max_batch=64, poll_seconds=2.0):
        self.limits = limits
        self._models = {name: ServedModel(name, folder) for name, folder in folders.items()}
        self._batcher = Batcher(max_batch)
        self._poll_seconds = poll_seconds
        self._watch = None

    def model(self, name):
        """The `ServedModel` of a name.

        Raises:
            Refusal: If there is none.
        """
        if name not in self._models:
            names = ", ".join(sorted(self._models))
            raise Refusal(Code.NOT_FOUND, f"Expected a served model: {names}. Received: {name!r:.80}.")
        return self._models[name]

    async def predict(self, loaded, signature, read_inputs):
        """The outputs of a signature, by name.

        Args:
            loaded: `LoadedVersion` that answers.
            signature: Name of the signature; empty or None for the default one.
            read_inputs: Function of (specs of the inputs, limits) that gives the arrays; it runs outside the event loop.

        Raises:
            Refusal: If the request does not fit, or the model fails.
        """
        try:
            signature = signature or DEFAULT_SIGNATURE
            specs = loaded.input_specs(signature)
            inputs = await asyncio.to_thread(read_inputs, specs, self.limits)
            _check_shapes(inputs, specs)
            return await self._batcher.run(loaded.call(signature, inputs))
        except OverflowError as error:
            raise Refusal(Code.RESOURCE_EXHAUSTED, str(error)) from error
        except Refusal:
            raise
        except Exception as error:
            raise refusal_of(error) from error

    def watch(self):
        """Starts to look for newer versions, in the running event loop. Raises what went wrong there, if it ended."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._look_for_versions())
        elif self._watch.done():
            self._watch.result()

    async def _look_for_versions(self):
        while True:
            await asyncio.sleep(self._poll_seconds)
            for model in self._models.values():
                await asyncio.to_thread(model.refresh)


def _check_shapes(inputs, specs):
    """Compares shapes with those of the signature: neither TensorFlow nor every graph does it."""
    for name, value in inputs.items():
        _, expected = specs[name]
        is_right = len(expected) == value.ndim and all(
            size in (None, found) for size, found in zip(expected, value.shape, strict=True)
        )
        if not is_right:
            letters = iter("BGIJKL")
            text = ", ".join(next(letters) if size is None else str(size) for size in expected)
            found = " ".join(map(str, value.shape))
            raise Refusal(Code.INVALID_ARGUMENT, f"Expected {name} of shape [{text}]. Received: [{found}].")
