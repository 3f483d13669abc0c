"""Parameters from summary statistics: the baseline that a density model of whole maps has to beat.

    python benchmarks/summary_ridge.py --maps F --params F [--split-seed 0] [--out predictions.npz]
    python benchmarks/summary_ridge.py --maps F --params F --test-maps G --test-params G
    python benchmarks/summary_ridge.py --maps F --params F --against RUN/calibration/posteriors.npz

A quadratic ridge regression on the power spectrum (12 bins), 11 pixel percentiles, mean, standard deviation and
skewness of log10 maps. Simulations are split 0.7, 0.1, 0.2 by the package's own split: features are standardised on the
training maps, the penalty of each parameter is chosen on the validation simulations, and the scores are those of the
test simulations, for each map and for the mean over a simulation's maps, with bootstrap errors over simulations.

With --test-maps the test simulations are those of another file. Any that has the parameters of a training or
validation simulation is left out, because the two may also share their initial conditions; of a variant of the same
simulations so remains the test split.

--against compares with the posterior means of a run on the same test maps (`higlow calibrate` writes the file; with its
--maps-per-simulation the regression is that of these maps, too), pairwise: negative differences are those of a run that is better
than the regression.

--out writes an .npz: `parameters` [P]; for each test map `truth`, `mean` and `sd` [N, P], `simulation` and `map_index`
[N] as counted in the test file. `sd` is the error of a map on the validation simulations, the same for all.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import skew

from higlow_tf.data import ZeroFloor, load_cmd
from higlow_tf.diagnostics import log10_field, parameter_scores, power_spectrum
from higlow_tf.errors import InputError
from higlow_tf.evaluation.spreading import spread_in_each
from higlow_tf.files import check_new, whole_path

__all__ = [
    "Predictions",
    "QuadraticRidge",
    "compare_on",
    "compare_with",
    "fit_ridge",
    "main",
    "print_scores",
    "summaries",
]

FRACTIONS = (0.7, 0.1, 0.2)
NUM_POWER_BINS = 12
PERCENTILES = (1, 5, 10, 20, 35, 50, 65, 80, 90, 95, 99)
PENALTIES = np.geomspace(1e-5, 1e3, 33)
_CHUNK = 512  # in float64, 512 maps of 256 x 256 are 270 MB


def summaries(maps, box_size_mpc_h):
    """The summary statistics of each log10 map.

    Args:
        maps: Positive maps in physical units, `[N, n, n]`.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        float64 `[N, F]`: ln P(k) in 12 bins of equal width from 2 pi / L to Nyquist (n // 2 bins, if that is
        fewer), 11 percentiles, mean, standard deviation and skewness of the pixels.
    """
    starts = range(0, len(maps), _CHUNK)
    return np.concatenate([_summaries(maps[start : start + _CHUNK], box_size_mpc_h) for start in starts])


def _summaries(maps, box_size_mpc_h):
    log10_hi = log10_field(maps)
    spectrum = power_spectrum(log10_hi, box_size_mpc_h)
    starts = _bin_starts(len(spectrum.k_h_mpc))
    total = np.add.reduceat(spectrum.power_mpc2_h2 * spectrum.modes, starts, axis=1)
    power = total / np.add.reduceat(spectrum.modes, starts)
    pixels = log10_hi.reshape(len(log10_hi), -1)
    moments = [pixels.mean(axis=1), pixels.std(axis=1), skew(pixels, axis=1)]
    return np.column_stack([np.log(power), np.percentile(pixels, PERCENTILES, axis=1).T, *moments])


def _bin_starts(num_multiples):
    """Indices at which bins begin that hold equally many of the multiples of 2 pi / L, give or take one."""
    num_bins = min(NUM_POWER_BINS, num_multiples)
    return np.arange(num_bins) * num_multiples // num_bins


@dataclass(frozen=True)
class QuadraticRidge:
    """A fitted regression: `predict` applies it.

    Attributes:
        center, scale: Mean and standard deviation of each feature over the training maps, `[F]`.
        quadratic_center, quadratic_scale: The same of the standardised features and their products, `[Q]`.
        coefficients, intercept: `[Q, P]` and `[P]`.
        penalty: The chosen penalty of each parameter, relative to the number of training maps, `[P]`.
        sd: Root mean square error of a map on the validation simulations, `[P]`.
    """

    center: np.ndarray
    scale: np.ndarray
    quadratic_center: np.ndarray
    quadratic_scale: np.ndarray
    coefficients: np.ndarray
    intercept: np.ndarray
    penalty: np.ndarray
    sd: np.ndarray

    def predict(self, features):
        """Parameters `[N, P]` of maps with the features `[N, F]`."""
        products = _with_products((features - self.center) / self.scale)
        return (products - self.quadratic_center) / self.quadratic_scale @ self.coefficients + self.intercept


def fit_ridge(features, theta, validation_features, validation_theta, penalties=PENALTIES):
    """Ridge regression of the parameters on the features and all their products.

    Math:
        coefficients = argmin mean((theta - intercept - q @ coefficients)**2) + penalty * sum(coefficients**2)
        q: standardised features and products of two; penalty: the best of `penalties` on the validation maps

    Args:
        features, theta: Training maps, `[N, F]` and `[N, P]`.
        validation_features, validation_theta: Maps of other simulations, `[M, F]` and `[M, P]`.
        penalties: Penalties to choose from.

    Returns:
        `QuadraticRidge`.
    """
    center, scale = _center_and_scale(features)
    products = _with_products((features - center) / scale)
    product_center, product_scale = _center_and_scale(products)
    q = (products - product_center) / product_scale
    validation_q = (_with_products((validation_features - center) / scale) - product_center) / product_scale
    intercept = theta.mean(axis=0)
    # All penalties share the eigenvectors of the Gram matrix.
    eigenvalues, vectors = np.linalg.eigh(q.T @ q / len(q))
    projected = vectors.T @ (q.T @ (theta - intercept)) / len(q)
    path = [vectors @ (projected / (eigenvalues.clip(min=0.0) + penalty)[:, None]) for penalty in penalties]
    errors = [np.mean((validation_q @ b + intercept - validation_theta) ** 2, axis=0) for b in path]
    best, columns = np.argmin(errors, axis=0), np.arange(theta.shape[1])
    coefficients = np.stack(path)[best, :, columns].T
    return QuadraticRidge(
        center, scale, product_center, product_scale, coefficients, intercept, np.asarray(penalties)[best],
        np.sqrt(np.min(errors, axis=0)),
    )  # fmt: skip


def _with_products(z):
    rows, columns = np.triu_indices(z.shape[1])
    return np.hstack([z, z[:, rows] * z[:, columns]])


def _center_and_scale(values):
    """A feature that does not vary gets the scale one: it then adds nothing."""
    center, scale = values.mean(axis=0), values.std(axis=0)
    return center, np.where(scale > 0.0, scale, 1.0)


@dataclass(frozen=True)
class Predictions:
    """What a regression says about test maps: the arrays of the .npz, see the head of this file."""

    parameters: tuple
    truth: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    simulation: np.ndarray
    map_index: np.ndarray

    def by_simulation(self):
        """The mean over the maps of each simulation, in the order of the simulation indices, as if it were one map."""
        indices, first, position = np.unique(self.simulation, return_index=True, return_inverse=True)
        mean = np.zeros((len(indices), len(self.parameters)))
        np.add.at(mean, position, self.mean)
        mean /= np.bincount(position)[:, None]
        return Predictions(self.parameters, self.truth[first], mean, self.sd[first], indices, self.map_index[first])

    def spread(self, num_maps):
        """Those of so many maps in all, equally many of each simulation, as `higlow calibrate` chooses them."""
        rows = spread_in_each(self.simulation, max(num_maps // len(np.unique(self.simulation)), 1))
        arrays = self.truth, self.mean, self.sd, self.simulation, self.map_index
        return Predictions(self.parameters, *(array[rows] for array in arrays))

    def save(self, path, overwrite=False):
        """Writes the .npz, whole or not at all."""
        with whole_path(path, overwrite) as part, open(part, "wb") as file:
            np.savez(file, **vars(self))


def compare_on(data, other=None, split_seed=0):
    """Fits on the training simulations of `data` and predicts test simulations.

    Args:
        data: `HIMapDataset`, which is split.
        other: `HIMapDataset` to test on, or None for the test split of `data`.
        split_seed: Seed of the split.

    Returns:
        The `QuadraticRidge` and the `Predictions`.

    Raises:
        InputError: If no simulation is left to test on, or a map has pixels that are not positive.
    """
    train, validation, test = data.split_by_simulation(FRACTIONS, seed=split_seed)
    if other is not None:
        seen = np.concatenate([train.theta_by_simulation, validation.theta_by_simulation])
        is_new = ~(other.theta_by_simulation[:, None] == seen).all(axis=2).any(axis=1)
        if not is_new.any():
            found = f"{other.num_simulations} simulations, all of them trained on"
            raise InputError(f"Expected test simulations with parameters that were not trained on. Received: {found}.")
        test = other.select_simulations(other.simulation_indices[is_new])
    floor = ZeroFloor.fit(train) if data.zero_pixels else None
    subsets = [subset if floor is None else floor.apply(subset) for subset in (train, validation, test)]
    features = [summaries(subset.maps, subset.box_size_mpc_h) for subset in subsets]
    ridge = fit_ridge(features[0], train.theta, features[1], validation.theta)
    map_index = np.flatnonzero(np.isin((data if other is None else other).simulation, test.simulation_indices))
    sd = np.tile(ridge.sd, (test.num_maps, 1))
    mean = ridge.predict(features[2])
    return ridge, Predictions(data.parameters.names, test.theta, mean, sd, test.simulation, map_index)


def compare_with(predictions, path, num_bootstrap=2000, seed=0):
    """Prints RMSE of a run minus RMSE of the regression, with the 95 % interval over simulations.

    Args:
        predictions: `Predictions` of the regression.
        path: posteriors.npz of `higlow calibrate`.
        num_bootstrap: Number of resamples of the simulations.
        seed: Seed of the resamples.

    Raises:
        InputError: If the two are not predictions of the same maps.
    """
    rng = np.random.default_rng(seed)
    with np.load(path, allow_pickle=False) as run:
        predictions = predictions.spread(len(run["truth"]))
        for prefix, ours in (("", predictions), ("joint_", predictions.by_simulation())):
            truth, mean = run[f"{prefix}truth"], run[f"{prefix}mean"]
            if truth.shape != ours.truth.shape or not np.allclose(truth, ours.truth):
                raise InputError(
                    f"{path}: expected the posteriors of the {len(ours.truth)} test maps, in the order of the file. "
                    f"Received: {len(truth)} of other maps."
                )
            _, position = np.unique(ours.simulation, return_inverse=True)
            count = np.bincount(position)
            draws = rng.multinomial(len(count), np.full(len(count), 1 / len(count)), size=num_bootstrap)
            print(f"run minus regression, {'all maps together' if prefix else 'each map'}")
            for column, name in enumerate(predictions.parameters):
                squares = [np.bincount(position, (m[:, column] - truth[:, column]) ** 2) for m in (mean, ours.mean)]
                resampled = [np.sqrt(draws @ s / (draws @ count)) for s in squares]
                value = np.sqrt(squares[0].sum() / count.sum()) - np.sqrt(squares[1].sum() / count.sum())
                low, high = np.percentile(resampled[0] - resampled[1], (2.5, 97.5))
                print(f"  {name:10} RMSE {value:+.4f} ({low:+.4f} to {high:+.4f})")


def print_scores(title, predictions):
    """One line a parameter: RMSE and R2, each with its bootstrap error over simulations."""
    arrays = predictions.truth, predictions.mean, predictions.sd, predictions.simulation
    scores = parameter_scores(*arrays, predictions.parameters, num_bootstrap=1000)
    print(title)
    for name in predictions.parameters:
        print(f"  {name:10} RMSE {_text(scores.rmse[name], 4)}   R2 {_text(scores.r2[name], 3)}")


def _text(metric, digits):
    """Number and error; a dash where there is none: too few simulations, or all of them with one truth."""
    return " +- ".join("-" if number is None else f"{number:.{digits}f}" for number in (metric.value, metric.error))


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", required=True, help="maps in CMD layout")
    parser.add_argument("--params", required=True, help="their parameter table")
    parser.add_argument("--test-maps", help="maps of another suite to test on")
    parser.add_argument("--test-params", help="their parameter table")
    parser.add_argument("--split-seed", type=int, default=0, help="seed of the split by simulation")
    parser.add_argument("--against", type=Path, help="posteriors.npz of higlow calibrate")
    parser.add_argument("--out", type=Path, help=".npz for the predictions")
    parser.add_argument("--overwrite", action="store_true", help="whether an existing --out may be replaced")
    arguments = parser.parse_args()
    if (arguments.test_maps is None) != (arguments.test_params is None):
        parser.error("--test-maps and --test-params belong together")
    try:
        run(arguments)
    except InputError as error:
        parser.error(str(error))


def run(arguments):
    """Fits, predicts, prints and, if asked, writes."""
    if arguments.out:
        check_new(arguments.out, arguments.overwrite)
    data = load_cmd(arguments.maps, arguments.params)
    other = load_cmd(arguments.test_maps, arguments.test_params) if arguments.test_maps else None
    ridge, predictions = compare_on(data, other, arguments.split_seed)
    together = predictions.by_simulation()
    print(f"split seed {arguments.split_seed}; penalties {', '.join(f'{penalty:.1e}' for penalty in ridge.penalty)}")
    print_scores(f"each of {len(predictions.truth)} maps", predictions)
    print_scores(f"all maps together of each of {len(together.truth)} simulations", together)
    if arguments.against:
        compare_with(predictions, arguments.against)
    if arguments.out:
        predictions.save(arguments.out, arguments.overwrite)


if __name__ == "__main__":
    main()
