"""Warnings of maps whose posteriors a careful user would not take as they are."""

import warnings
from collections.abc import Mapping

from higlow_tf.data.map_hash import map_hash
from higlow_tf.errors import InputWarning
from higlow_tf.inference.typicality import TypicalityReference
from higlow_tf.inference.typicality_features import typicality_features

__all__ = ["warn_of_seen_maps", "warn_of_unusual_maps"]

_MOST_SENTENCES = 12
_SEEN = {"train": "training", "validation": "validation"}


def warn_of_seen_maps(model, hi_maps):
    """Warns of maps that the model has learned from.

    They are known by their pixels as they were read: a map with zeros, which got a floor later, is not recognised.

    Args:
        model: An object that may have an attribute `split`, the content of split.json.
        hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`).
    """
    split = getattr(model, "split", None)
    if not isinstance(split, Mapping):
        return
    by_subset = split.get("map_hashes", {})
    subset_of = {content: word for name, word in _SEEN.items() for content in by_subset.get(name, ())}
    words = [subset_of.get(map_hash(hi_map)) for hi_map in hi_maps]
    _warn(
        [
            f"map {row}: one of the model's {word} maps, so that its posterior says little about those of new maps."
            for row, word in enumerate(words)
            if word is not None
        ]
    )


def warn_of_unusual_maps(marginal, hi_maps, theta):
    """Warns of maps that are unlike those of training.

    Args:
        marginal: `MarginalLikelihood` of an object that may have an attribute `typicality`: a `TypicalityReference`, or its
            configuration, as runs store it. Then it has what `typicality_features` needs. A reference of other parameters than
            those of the posterior says nothing of it, and is not asked.
        hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`).
        theta: Their posterior means, `[N, P]`; the features of the reference are taken at such, with the nuisance draw that is
            most probable there (see `MarginalLikelihood.completed`).
    """
    reference = getattr(marginal.model, "typicality", None)
    if isinstance(reference, Mapping):
        reference = TypicalityReference.from_config(reference)
    if reference is None or reference.parameters.names != marginal.parameters.names:
        return
    features, _ = typicality_features(marginal.model, hi_maps, marginal.completed(hi_maps, theta))
    _warn(reference.score(features, theta).warnings())


def _warn(sentences):
    """Warns with the first sentences, one warning each, and says how many more there are."""
    shown = list(sentences[:_MOST_SENTENCES])
    if len(sentences) > _MOST_SENTENCES:
        shown.append(f"... and {len(sentences) - _MOST_SENTENCES} more maps like these.")
    for sentence in shown:
        # At the line that called `infer`.
        warnings.warn(sentence, InputWarning, stacklevel=4)
