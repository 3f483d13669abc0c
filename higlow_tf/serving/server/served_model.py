"""A model whose newest version is served; a newer one takes over without a pause."""

import gc
import logging
from pathlib import Path

from higlow_tf.serving.server.loaded_version import LoadedVersion
from higlow_tf.serving.server.refusals import Code, Refusal
from higlow_tf.serving.server.version_folders import complete_versions, fingerprint

__all__ = ["ServedModel"]

_LOG = logging.getLogger("ray.serve")


class ServedModel:
    """The newest version in a folder.

    A version that cannot be loaded is reported by `statuses`, and the one before it stays. It is tried again when its files
    change. Requests hold the version that they began with: it leaves memory when the last of them is answered.

    Args:
        name: Name of the model.
        folder: Its folder, NAME/<version>/.

    Raises:
        RuntimeError: If no version can be loaded.
    """

    def __init__(self, name, folder):
        self.name = name
        self._folder = Path(folder)
        self._current = None
        self._failures = {}
        for number in reversed(complete_versions(folder)):
            if self._load(number):
                break
        if self._current is None:
            reasons = "; ".join(f"version {number}: {reason}" for number, (_, reason) in self._failures.items())
            raise RuntimeError(f"{folder}: expected a version that TensorFlow can load. Received: {reasons or 'none'}.")

    def refresh(self):
        """Loads the newest version that can be loaded, unless it is served; may take seconds. Returns whether it changed."""
        versions = complete_versions(self._folder)
        self._failures = {number: failure for number, failure in self._failures.items() if number in versions}
        for number in reversed(versions):
            if number == self._current.version:
                return False
            failed_as = self._failures.get(number, (None,))[0]
            if failed_as != fingerprint(versions[number]) and self._load(number):
                return True
        return False

    def at(self, version=None, label=""):
        """The `LoadedVersion` that answers a request.

        Raises:
            Refusal: If the request asks for a version that is not served, or for a label.
        """
        if label:
            raise Refusal(Code.NOT_FOUND, f"Expected a version by its number. Received: the label {label!r:.80}.")
        current = self._current
        if version not in (None, current.version):
            raise Refusal(
                Code.NOT_FOUND, f"Expected the served version of {self.name}, {current.version}. Received: {version}."
            )
        return current

    def statuses(self):
        """Triples (number, state, error) of the served version and of those that could not be loaded, the newest first."""
        failed = [(number, "END", reason) for number, (_, reason) in self._failures.items()]
        return sorted([(self._current.version, "AVAILABLE", ""), *failed], reverse=True)

    def _load(self, number):
        folder = self._folder / complete_versions(self._folder)[number].name
        files = fingerprint(folder)
        try:
            loaded = LoadedVersion(folder)
        except Exception as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            self._failures[number] = (files, reason)
            _LOG.warning("%s: version %d cannot be loaded: %s", self.name, number, reason)
            return False
        self._failures.pop(number, None)
        self._current = loaded
        gc.collect()  # the one before, if nobody uses it: graphs are circles of references
        _LOG.info("%s: serving version %d", self.name, number)
        return True
