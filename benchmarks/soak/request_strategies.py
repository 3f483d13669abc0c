"""Hypothesis strategies: requests that do not fit an exported model, in shape or in value."""

import numpy as np
from hypothesis import strategies as st

__all__ = ["NUM_ROWS", "SHAPES", "good_request", "malformed_requests"]

NUM_ROWS, NUM_POINTS = 4, 5
# Inputs of each signature of a model of 16 x 16 pixels and two parameters; B rows, G points.
SHAPES = {
    "log_prob": {"hi_map": ("B", 16, 16), "theta": ("B", 2)},
    "sample": {"theta": ("B", 2), "seed": ("B", 2), "temperature": ("B",)},
    "posterior": {"hi_map": ("B", 16, 16), "theta_grid": ("B", "G", 2)},
}
MAX_GRID_POINTS, MAX_EVALUATIONS = 16384, 2**20
_SIZES = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 64])
_MAX_SIZE = 100_000
# Values by what must come of them: `bad` ones make their row NaN or flag it; with `odd` ones any answer will do in their row.
BAD_PIXELS = (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, -3e38)
ODD_PIXELS = (3e38, 1e30, 1e-30, 1.2e-38, 1e-40, 1e-45)
BAD_THETA = (np.nan, np.inf, -np.inf, -1.0, 0.0, 0.55, 1.1, 1e30, -3e38, 1e-40)
BAD_TEMPERATURES = (np.nan, np.inf, -np.inf)
ODD_TEMPERATURES = (-1.0, 0.0, 1e-40, 1e3, -3e38)
ODD_SEEDS = (-1, -(2**63), 2**63 - 1, 2**31, -(2**31) - 1)


def good_request(signature, num_rows=NUM_ROWS, num_points=NUM_POINTS):
    """A request that fits, always the same: NumPy arrays by name."""
    sizes = {"B": num_rows, "G": num_points}
    shapes = {name: tuple(sizes.get(n, n) for n in shape) for name, shape in SHAPES[signature].items()}
    return {name: values(name, shape) for name, shape in shapes.items()}


def values(name, shape):
    """Values that a model of the right shape would answer."""
    rng = np.random.default_rng(len(name))
    if name == "hi_map":
        return (10.0 ** rng.normal(6.5, 0.4, shape)).astype(np.float32)
    if name == "seed":
        return np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    if name == "temperature":
        return np.asarray(rng.uniform(0.5, 1.0, shape), np.float32)
    theta = rng.uniform(0.0, 1.0, shape)
    if shape and shape[-1] == 2:
        theta = theta * (0.39, 0.39) + (0.105, 0.605)
    return np.asarray(theta, np.float32)


@st.composite
def malformed_requests(draw, signature):
    """Triples (what is wrong, inputs, verdict of each row); the verdicts are None where the whole request must be refused."""
    ways = [_wrong_shape, _wrong_rows, _wrong_values, _wrong_values, _no_rows]
    if signature == "posterior":
        ways.append(_too_many_points)
    return draw(draw(st.sampled_from(ways))(signature))


@st.composite
def _wrong_shape(draw, signature):
    inputs = good_request(signature)
    name = draw(st.sampled_from(sorted(inputs)))
    right = list(inputs[name].shape)
    if draw(st.booleans()):
        axis = draw(st.integers(0, len(right) - 1))
        changed = [*right[:axis], draw(_SIZES), *right[axis + 1 :]]
    else:
        changed = draw(st.lists(_SIZES, max_size=5))
    shape = tuple(changed)
    free = [axis for axis, size in enumerate(SHAPES[signature][name]) if size == "G"]
    is_right = len(shape) == len(right) and all(
        a == b or i in free for i, (a, b) in enumerate(zip(shape, right, strict=True))
    )
    if is_right or np.prod(shape) > _MAX_SIZE:
        shape = (*right, 1)
    return f"shape {list(shape)} of {name}", inputs | {name: values(name, shape)}, None


@st.composite
def _wrong_rows(draw, signature):
    inputs = good_request(signature)
    name = draw(st.sampled_from(sorted(inputs)))
    num_rows = draw(st.integers(0, 9).filter(lambda n: n != NUM_ROWS))
    other = good_request(signature, num_rows=num_rows)[name]
    return f"{num_rows} rows of {name}, {NUM_ROWS} of the others", inputs | {name: other}, None


@st.composite
def _no_rows(draw, signature):
    num_points = draw(st.integers(0, 9))
    return "no rows", good_request(signature, num_rows=0, num_points=num_points), []


@st.composite
def _too_many_points(draw, signature):
    if draw(st.booleans()):
        num_rows, num_points = 1, draw(st.integers(MAX_GRID_POINTS + 1, 2 * MAX_GRID_POINTS))
    else:
        num_points = draw(st.integers(12_000, MAX_GRID_POINTS))
        num_rows = MAX_EVALUATIONS // num_points + draw(st.integers(1, 5))
    return f"{num_rows} rows of {num_points} points", good_request(signature, num_rows, num_points), None


@st.composite
def _wrong_values(draw, signature):
    """One value in some rows, never in all of them; the verdict of a row is "good", "bad" or "odd"."""
    inputs = good_request(signature)
    name = draw(st.sampled_from(sorted(inputs)))
    bad, odd = {
        "hi_map": (BAD_PIXELS, ODD_PIXELS),
        "seed": ((), ODD_SEEDS),
        "temperature": (BAD_TEMPERATURES, ODD_TEMPERATURES),
    }.get(name, (BAD_THETA, ()))
    rows = draw(st.lists(st.integers(0, NUM_ROWS - 1), min_size=1, max_size=NUM_ROWS - 1, unique=True))
    verdicts, changed = ["good"] * NUM_ROWS, inputs[name].copy()
    for row in rows:
        value = draw(st.sampled_from(bad + odd))
        verdicts[row] = "bad" if any(value is other for other in bad) else "odd"
        place = draw(st.integers(0, changed[row].size - 1)) if changed[row].ndim else 0
        everywhere = draw(st.booleans()) and name == "hi_map"
        changed.reshape(NUM_ROWS, -1)[row, slice(None) if everywhere else place] = value
    return (
        f"{name} with {sorted(set(verdicts) - {'good'})} values in rows {sorted(rows)}",
        inputs | {name: changed},
        verdicts,
    )
