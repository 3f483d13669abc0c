import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import CAMELS_PARAMETERS, ParameterSpace, ParameterSpec
from higlow_tf.errors import InputError

# Two logarithms and an exponential in float64.
ROUND_TRIP = 1e-13

SPACE = ParameterSpace.from_names(["Omega_m", "sigma_8", "A_SN1"])

specs = st.builds(
    lambda low, width, transform: ParameterSpec("a", "a", low, low + width, transform),
    st.floats(0.01, 100.0),
    st.floats(0.01, 100.0),
    st.sampled_from(["linear", "log"]),
)


@settings(deadline=None, max_examples=15)
@given(spec=specs, unit=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5))
def test_normalize_maps_the_prior_onto_minus_one_to_one_and_back(spec, unit):
    space = ParameterSpace((spec,))
    normalized = 2.0 * np.array(unit)[:, None] - 1.0
    theta = space.denormalize(normalized)
    assert np.all((theta >= spec.low * (1 - ROUND_TRIP)) & (theta <= spec.high * (1 + ROUND_TRIP)))
    # The relative width of a prior scales the error: at most 100 / 0.01 here.
    np.testing.assert_allclose(space.normalize(theta), normalized, atol=1e4 * ROUND_TRIP)


def test_centre_of_a_log_prior_is_its_geometric_mean():
    np.testing.assert_allclose(SPACE.normalize([0.3, 0.8, 1.0]), 0.0, atol=ROUND_TRIP)
    np.testing.assert_allclose(SPACE.normalize([SPACE.low, SPACE.high]), [[-1] * 3, [1] * 3], atol=ROUND_TRIP)


def test_the_registry_holds_the_camels_prior():
    edges = {name: (spec.low, spec.high, spec.transform) for name, spec in CAMELS_PARAMETERS.items()}
    assert edges == {
        "Omega_m": (0.1, 0.5, "linear"),
        "sigma_8": (0.6, 1.0, "linear"),
        "A_SN1": (0.25, 4.0, "log"),
        "A_AGN1": (0.25, 4.0, "log"),
        "A_SN2": (0.5, 2.0, "log"),
        "A_AGN2": (0.5, 2.0, "log"),
    }


def test_outside_counts_rows_and_says_by_how_much():
    theta = np.array([[0.3, 0.8, 1.0], [0.52, 0.8, 1.0], [0.05, 0.8, 5.0], [np.nan, 0.8, 1.0]])
    np.testing.assert_array_equal(SPACE.outside(theta), [False, True, True, True])
    assert "Omega_m of 2 of 3 rows lies outside [0.1, 0.5] by up to 0.05" in SPACE.describe_outside(theta[:3])
    assert "A_SN1 of 1 of 3 rows lies outside [0.25, 4] by up to 1" in SPACE.describe_outside(theta[:3])
    assert "sigma_8" not in SPACE.describe_outside(theta)
    assert SPACE.describe_outside(theta[:1]) == ""


def test_edges_stored_in_float32_are_inside():
    assert not SPACE.outside(np.array([SPACE.low, SPACE.high], dtype=np.float32)).any()


@pytest.mark.parametrize("draw", ["sample_uniform", "latin_hypercube"])
def test_draws_follow_the_prior_and_the_seed(draw):
    theta = getattr(SPACE, draw)(400, seed=1)
    assert theta.shape == (400, 3)
    assert theta.dtype == np.float64
    assert not SPACE.outside(theta).any()
    np.testing.assert_array_equal(theta, getattr(SPACE, draw)(400, seed=1))
    assert not np.array_equal(theta, getattr(SPACE, draw)(400, seed=2))
    # The mean of 400 uniform numbers on [-1, 1] has a standard deviation of 0.029: five of them.
    np.testing.assert_allclose(SPACE.normalize(theta).mean(axis=0), 0.0, atol=0.15)


def test_latin_hypercube_hits_each_slice_once():
    unit = 0.5 * (SPACE.normalize(SPACE.latin_hypercube(50, seed=0)) + 1.0)
    np.testing.assert_array_equal(np.sort(np.floor(unit * 50), axis=0), np.repeat(np.arange(50.0)[:, None], 3, axis=1))


def test_the_derivative_is_that_of_the_normalised_coordinate():
    theta, step = np.array([0.3, 0.8, 1.0]), 1e-6
    above, below = (SPACE.normalize(theta + sign * step * np.where(SPACE.is_log, theta, 1.0)) for sign in (1, -1))
    np.testing.assert_allclose((above - below) / (2 * step), SPACE.normalized_per_unit, rtol=1e-9)


def test_prior_density_integrates_to_one():
    """By the mean of density over density of uniform draws; uniform in Omega_m and sigma_8, 1 / theta in A_SN1."""
    unit = (np.arange(1000) + 0.5)[:, None] / 1000
    theta = SPACE.low + unit * (SPACE.high - SPACE.low)
    density = np.exp(SPACE.log_prior_density(theta))
    # A midpoint sum over 1000 cells of 1 / theta.
    assert density.mean() * np.prod(SPACE.high - SPACE.low) == pytest.approx(1.0, rel=1e-4)
    np.testing.assert_allclose(density * theta[:, 2], density[0] * theta[0, 2], rtol=ROUND_TRIP)


def test_config_is_json_and_round_trips():
    own = ParameterSpace.from_names(["sigma_8", ParameterSpec("x_HI", r"x_{\rm HI}", 0.1, 0.9)])
    assert ParameterSpace.from_config(json.loads(json.dumps(own.to_config()))) == own
    assert own.names == ("sigma_8", "x_HI")
    assert len(own) == 2
    assert [spec.name for spec in own] == ["sigma_8", "x_HI"]


def test_the_name_is_the_label_where_none_is_given():
    spec = ParameterSpec("tilt_1", low=-3.0, high=-1.0)
    assert spec == ParameterSpec("tilt_1", r"tilt\_1", -3.0, -1.0)
    assert spec == ParameterSpec.from_config({"name": "tilt_1", "low": -3.0, "high": -1.0})
    with pytest.raises(InputError, match="The prior edges of tilt_1 must be numbers. Received: None, None"):
        ParameterSpec("tilt_1")


@pytest.mark.parametrize(("name", "nearest"), [("omega_M", "Omega_m"), ("sigma8", "sigma_8"), ("ASN1", "A_SN1")])
def test_unknown_name_is_answered_with_the_nearest(name, nearest):
    with pytest.raises(InputError, match=f"did you mean '{nearest}'.*Received: '{name}'"):
        ParameterSpace.from_names([name])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Omega m", "x", 0.0, 1.0), "identifier"),
        (("a", 3, 0.0, 1.0), "label"),
        (("a", "x", 1.0, 1.0), "low < high"),
        (("a", "x", 0.0, float("inf")), "finite"),
        (("a", "x", None, 1.0), "numbers"),
        (("a", "x", 0.0, 1.0, "sqrt"), "transform"),
        (("a", "x", 0.0, 1.0, "log"), "above zero"),
    ],
)
def test_spec_is_validated(arguments, words):
    with pytest.raises(InputError, match=f"{words}.*Received"):
        ParameterSpec(*arguments)


def test_space_is_validated():
    with pytest.raises(InputError, match="one or more ParameterSpec"):
        ParameterSpace(())
    with pytest.raises(InputError, match="a name of its own"):
        ParameterSpace.from_names(["Omega_m", "Omega_m"])
    with pytest.raises(InputError, match=r"one column for each.*Received: shape \(4, 2\)"):
        SPACE.normalize(np.ones((4, 2)))
    with pytest.raises(InputError, match=r"\['A_SN1'\] must be positive\. Received: -1"):
        SPACE.normalize([0.3, 0.8, -1.0])


def test_columns_and_the_space_of_the_others_go_by_name():
    space = ParameterSpace.from_names(["Omega_m", "sigma_8", "A_SN1"])
    assert space.without(("sigma_8",)).names == ("Omega_m", "A_SN1")
    assert space.without(()) == space
    theta = np.array([[0.3, 0.8, 1.0], [0.2, 0.7, 2.0]])
    np.testing.assert_array_equal(space.columns(theta, ["A_SN1", "Omega_m"]), [[1.0, 0.3], [2.0, 0.2]])
    np.testing.assert_allclose(space.from_unit(np.array([[0.0, 0.5, 1.0]])), [[0.1, 0.8, 4.0]])
