"""The card of a published model, for machines and for people: that of its SavedModel, and what is known beside the model."""

import json
import math
from collections.abc import Mapping

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path, write_json
from higlow_tf.serving.model_card import CARD_FILE
from higlow_tf.serving.readme import make_readme

__all__ = ["check_additions", "write_published_card"]


def write_published_card(folder, version, changes=(), rivals=None):
    """Adds to the card inside the SavedModel what changed and what rivals reach, and writes README.md from it.

    Args:
        folder: Folder of a published model, a `Path`.
        version: Name of the SavedModel's folder in it.
        changes: Sentences: what is other than in the models that were published before.
        rivals: Other methods on the same test simulations: title -> metrics by the names of `CalibrationScores.metrics`, each a
            dict with value and error; None if there are none.

    Raises:
        InputError: If the sentences are no list of text, or value and error of a rival's metric are not finite numbers or None.
    """
    check_additions(changes, rivals)
    path = folder / version / CARD_FILE
    card = json.loads(path.read_text(encoding="utf-8"))
    card |= {"changes": [change.strip() for change in changes], "rivals": rivals or {}}
    write_json(card, path)
    with whole_path(folder / "README.md") as part:
        part.write_text(make_readme(card), encoding="utf-8")


def check_additions(changes, rivals):
    """Refuses what `write_published_card` cannot write."""
    if isinstance(changes, str) or not all(isinstance(change, str) and change.strip() for change in changes):
        raise InputError(f"changes: expected a list of sentences. Received: {changes!r}.")
    for title, metrics in (rivals or {}).items():
        for name, metric in metrics.items():
            if not _is_metric(metric):
                raise InputError(
                    f"rivals: expected value and error of {name} of {title!r}, finite or None. Received: {metric!r}."
                )


def _is_metric(metric):
    return isinstance(metric, Mapping) and all(
        key in metric and (metric[key] is None or math.isfinite(metric[key])) for key in ("value", "error")
    )
