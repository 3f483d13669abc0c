"""Where the numbers of an evaluation come from."""

from higlow_tf.versions import versions

__all__ = ["provenance"]


def provenance(model, test):
    """What a reader needs to trace a number: model, test maps, training maps, versions; name -> value.

    Args:
        model: The model.
        test: `HIMapDataset` on which it was judged.
    """
    native = "" if test.native_size == test.map_size else f", regridded from {test.native_size}"
    facts = {
        "trainable weights": sum(int(variable.value.shape.num_elements()) for variable in model.trainable_variables),
        "test maps": ", ".join(test.source),
        "content of the test maps": test.content_hash(),
        "pixels a side": f"{test.map_size}{native}",
    }
    if model.nuisance:
        facts["nuisance parameters"] = f"{', '.join(model.nuisance)}; drawn from their prior where they are not given"
    split = model.split
    if split:
        counts = {name: len(simulations) for name, simulations in split["simulations"].items()}
        facts |= {
            "trained on": ", ".join(split["source"]),
            "content of that file": split["content_hash"],
            "simulations": ", ".join(f"{name} {number}" for name, number in counts.items()),
            "seed of the split": split["seed"],
            "pixels that were zero and got a floor": test.floored_pixels,
        }
    return facts | {"versions": ", ".join(f"{name} {version}" for name, version in versions().items())}
