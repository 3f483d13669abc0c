"""Malformed requests to an exported model: an error that says so, or a mark in their own row; the others never notice."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as hypothesis_seed

from benchmarks.soak.request_strategies import NUM_ROWS, SHAPES, good_request, malformed_requests

__all__ = ["jobs", "run"]

# What makes a sentence of ours; and the sentence of TensorFlow's Python layer about a rank, which a server's client never sees.
_SENTENCE = ("Expected", "Received")
_LOADED = {}


def jobs(sizes):
    """Pairs (signature, number) of rows of the record."""
    rows = -(-sizes.requests // sizes.requests_a_row)
    return [
        {
            "case": name,
            "number": number,
            "requests": min(sizes.requests_a_row, sizes.requests - number * sizes.requests_a_row),
        }
        for name in SHAPES
        for number in range(rows)
    ]


def run(workspace, job, seed):
    """Sends the requests of one row. The good request after each of them must be answered as at the start, bit for bit."""
    signature = job["case"]
    served = _served(workspace)
    counts = {"refused": 0, "marked": 0, "answered": 0, "empty": 0}
    before = served(signature, good_request(signature))

    @hypothesis_seed(seed * 1000 + job["number"])
    @settings(max_examples=job["requests"], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=malformed_requests(signature))
    def send(case):
        what, inputs, verdicts = case
        outcome = _outcome(served, signature, inputs, verdicts, before)
        assert not outcome.startswith("fault"), f"{what}: {outcome}"
        counts[outcome] += 1
        _check_equal(
            served(signature, good_request(signature)), before, range(NUM_ROWS), f"the good request after {what}"
        )

    try:
        send()
    except Exception as error:  # whatever Hypothesis has shrunk it to
        notes = " ".join(getattr(error, "__notes__", []))
        return {"fault": f"{type(error).__name__}: {str(error)[:300]} {notes[:200]}", **counts}
    return {"fault": None, "sent": sum(counts.values()), **counts}


def _served(workspace):
    """Function (signature, inputs) -> outputs as arrays; the model is loaded once a process."""
    if "served" not in _LOADED:
        import tensorflow as tf

        model = tf.saved_model.load(str(workspace.get("exported") / "served" / "1"))

        def ask(signature, inputs):
            tensors = {name: tf.constant(value) for name, value in inputs.items()}
            return {name: value.numpy() for name, value in model.signatures[signature](**tensors).items()}

        _LOADED["served"] = ask
    return _LOADED["served"]


def _outcome(served, signature, inputs, verdicts, before):
    """What became of a malformed request: "refused", "marked", "answered" (odd values, a number), "empty"; or a fault."""
    import tensorflow as tf

    try:
        outputs = served(signature, inputs)
    except tf.errors.InvalidArgumentError as error:
        return (
            "refused"
            if all(word in str(error) for word in _SENTENCE)
            else f"fault, an error that explains nothing: {error}"
        )
    if verdicts is None:
        return "fault, an answer to a request that does not fit"
    if not verdicts:
        return "empty" if all(len(value) == 0 for value in outputs.values()) else "fault, rows that were not asked for"
    _check_equal(outputs, before, [row for row, verdict in enumerate(verdicts) if verdict == "good"], "a good row")
    unmarked = [row for row, verdict in enumerate(verdicts) if verdict == "bad" and not _is_marked(outputs, row)]
    if unmarked:
        return f"fault, row {unmarked[0]} is answered as if it was good"
    impossible = [
        row for row, verdict in enumerate(verdicts) if verdict == "odd" and _has_infinite_density(outputs, row)
    ]
    if impossible:
        return f"fault, row {impossible[0]} has an infinite density"
    return "marked" if "bad" in verdicts else "answered"


def _is_marked(outputs, row):
    """NaN in every number of the row, or outside of the prior."""
    numbers = [value[row] for name, value in outputs.items() if name not in ("inside_prior", "typicality")]
    return not outputs["inside_prior"][row] or all(not np.isfinite(value).any() for value in numbers)


def _has_infinite_density(outputs, row):
    return "log_prob" in outputs and bool(np.isposinf(outputs["log_prob"][row]).any())


def _check_equal(outputs, before, rows, what):
    """Rows of two answers are the same bits."""
    for name, value in outputs.items():
        for row in rows:
            assert value[row].tobytes() == before[name][row].tobytes(), f"{what}: {name} differs in row {row}"
