"""What a run stores beside its model, as small as it can be and still whole."""

__all__ = ["CALIBRATION", "SPLIT", "TYPICALITY"]

_PARAMETERS = [
    {"name": "Omega_m", "label": "Om", "low": 0.1, "high": 0.5, "transform": "linear"},
    {"name": "sigma_8", "label": "s8", "low": 0.6, "high": 1.0, "transform": "linear"},
]
# As older versions wrote it: without the keys that came later.
SPLIT = {
    "source": ["maps.npy", "params.txt"],
    "suite": None,
    "redshift": 6.0,
    "units": "(Msun/h)/(Mpc/h)^2",
    "box_size_mpc_h": 25.0,
    "parameters": _PARAMETERS,
    "num_maps": 4,
    "content_hash": "0123456789abcdef" * 2,
    "fractions": [0.5, 0.25, 0.25],
    "seed": 3,
    "zero_floor": None,
    "simulations": {"train": [0, 1], "validation": [2], "test": [3]},
    "map_hashes": {"train": ["0" * 16, "1" * 16], "validation": ["a" * 16], "test": ["f" * 16]},
}
CALIBRATION = {"tempering": 0.5, "widening": [0.05, 0.0]}
TYPICALITY = {
    "parameters": _PARAMETERS,
    "feature_names": ["log_prob_level_0", "log10_percentile_50"],
    "log10_median": 6.5,
    "num_simulations": 4,
    "coefficients": [[0.1, 6.5]],
    "sd": [0.2, 0.3],
    "covariance": [[1.0, 0.1], [0.1, 1.0]],
    "distances": [0.5, 1.0, 1.5, 2.0],
}
