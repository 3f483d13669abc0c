"""Several flows of the same maps, whose log-likelihoods are averaged for posteriors."""

from higlow_tf.errors import InputError

__all__ = ["FlowEnsemble", "checked_num_flows", "ensemble_for", "ensemble_of", "num_flows_of"]

_ALIKE = ("map_size", "num_channels", "map_transform", "nuisance")


class FlowEnsemble:
    """Flows that were trained alike from different seeds, as one likelihood of the parameters.

    Math:
        log L(theta) = mean over the E flows of log p_e(map | theta)

    What a flow gets wrong between two parameters differs from flow to flow, and partly cancels in the mean. exp(log L) is no
    normalised density of maps (the geometric mean of densities has an integral below one), which does not matter for the
    posterior. All that is not named here, such as drawing maps, is that of the first flow.

    Args:
        flows: Two or more objects with `log_prob(hi_maps, theta)` and `parameters`: of the same parameters and maps.

    Attributes:
        flows: The tuple of them.

    Raises:
        InputError: If there are fewer than two, or they are of other parameters or maps.
    """

    def __init__(self, flows):
        flows = tuple(flows)
        if len(flows) < 2:
            raise InputError(f"flows: expected two or more. Received: {len(flows)}.")
        for number, flow in enumerate(flows[1:], start=2):
            _check_alike(flows[0], flow, number)
        self.flows = flows

    def log_prob(self, hi_maps, theta):
        """The mean of the flows' log-densities, `[N]` nats, row by row; see `MapFlow.log_prob`."""
        return sum(flow.log_prob(hi_maps, theta) for flow in self.flows) / len(self.flows)

    @property
    def weights(self):
        """Those of all flows, in order."""
        return [weight for flow in self.flows for weight in flow.weights]

    @property
    def trainable_variables(self):
        """Those of all flows, in order."""
        return [variable for flow in self.flows for variable in flow.trainable_variables]

    def get_config(self):
        """The configuration of each flow without its name, by which answers are known (`AnswerCache`)."""
        configs = [flow.get_config() for flow in self.flows]
        return {"flows": [{key: value for key, value in config.items() if key != "name"} for config in configs]}

    def __getattr__(self, name):
        if name == "flows":  # not there yet
            raise AttributeError(name)
        return getattr(self.flows[0], name)


def ensemble_of(model, num_flows):
    """A model as the likelihood of so many flows: itself for one, else itself with its companions.

    Args:
        model: A flow that was loaded from a run, whose attribute `companions` finds the others (`higlow_tf.models.Companions`);
            or a `FlowEnsemble` of at least so many flows, of which the first are taken.
        num_flows: How many.

    Raises:
        InputError: If there are fewer.
    """
    if isinstance(model, FlowEnsemble):
        known = model.flows
    else:
        companions = getattr(model, "companions", None)
        known = (model, *(() if companions is None or num_flows == 1 else companions.load(num_flows - 1)))
    if num_flows > len(known):
        raise InputError(
            f"ensemble: expected {num_flows} flows (higlow train --ensemble {num_flows}). Received: a model of {len(known)}."
        )
    return known[0] if num_flows == 1 else FlowEnsemble(known[:num_flows])


def ensemble_for(model, num_flows, calibration):
    """The likelihood of posteriors: a model, or the ensemble that a call means.

    Args:
        model: As of `ensemble_of`.
        num_flows: How many flows; None for all of a `FlowEnsemble`, and else for as many as the calibration was fitted with.
        calibration: `Calibration`, or None.

    Raises:
        InputError: If there are fewer flows, or the calibration was fitted with another number.
    """
    if num_flows is None:
        if isinstance(model, FlowEnsemble):
            num_flows = len(model.flows)
        else:
            num_flows = 1 if calibration is None else calibration.num_flows
    chosen = ensemble_of(model, checked_num_flows(num_flows))
    if calibration is not None:
        calibration.check_num_flows(num_flows)
    return chosen


def num_flows_of(model):
    """How many flows there are: those of an ensemble, or a model and its companions; 1 for any other object."""
    if isinstance(model, FlowEnsemble):
        return len(model.flows)
    companions = getattr(model, "companions", None)
    return 1 if companions is None else 1 + companions.count()


def checked_num_flows(value):
    """The number of flows as an int.

    Raises:
        InputError: If it is no positive integer.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"num_flows: expected a positive integer. Received: {value!r}.")
    return value


def _check_alike(first, other, number):
    pairs = [(name, getattr(first, name, None), getattr(other, name, None)) for name in _ALIKE]
    pairs.append(("parameters", first.parameters.to_config(), other.parameters.to_config()))
    pairs.append(("split", _split_of(first), _split_of(other)))
    for name, expected, found in pairs:
        if expected != found:
            raise InputError(
                f"flows: expected flow {number} with the {name} of the first. Received: {found!r:.200}, not {expected!r:.200}."
            )


def _split_of(flow):
    """What a flow must not be tested on; None where it does not say."""
    split = getattr(flow, "split", None)
    return None if not split else [split.get("content_hash"), split.get("simulations")]
