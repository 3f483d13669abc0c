"""What was measured for one model on test maps, as fields. Its metrics and its verdict follow from these."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from higlow_tf.data import HIMapDataset
from higlow_tf.diagnostics import PowerComparison
from higlow_tf.diagnostics.sample_checks import SampleChecks
from higlow_tf.diagnostics.symmetry_defect import SymmetryDefect
from higlow_tf.evaluation.map_statistics import MapStatistics
from higlow_tf.evaluation.metrics import evaluation_metrics
from higlow_tf.evaluation.posterior_scores import PosteriorScores
from higlow_tf.evaluation.verdict import Verdict, verdict_rows

__all__ = ["AtOneCosmology", "Evaluation", "EvaluationOptions"]


@dataclass(frozen=True)
class EvaluationOptions:
    """How much is measured.

    Attributes:
        num_samples: Largest number of maps to generate, at the parameters of evenly spread test maps; None for one map for
            each test map.
        num_cosmologies: Test simulations at whose parameters many maps are generated.
        maps_per_cosmology: How many.
        num_posteriors: Most test maps whose posteriors are computed; 0 for none.
        seed: Seed of everything random.
        map_classifier: Whether a convolutional network is trained to tell generated from test maps: the sharpest judge of
            maps, and the slowest (three CPU minutes for 900 maps of 64x64 pixels).
    """

    num_samples: int | None = None
    num_cosmologies: int = 4
    maps_per_cosmology: int = 15
    num_posteriors: int = 60
    seed: int = 0
    map_classifier: bool = False


@dataclass(frozen=True)
class AtOneCosmology:
    """Many generated maps at the parameters of one test simulation, against its maps.

    Attributes:
        simulation: Its index.
        theta: Those of its parameters that one asks for.
        power: P(k) of log10 maps; errors and floor over single maps.
        num_real_maps, num_generated_maps: How many maps there are of each. Maps that are not finite and positive do
            not count.
    """

    simulation: int
    theta: np.ndarray
    power: PowerComparison
    num_real_maps: int
    num_generated_maps: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Measurements of one model on test maps.

    Attributes:
        test: The test maps.
        label: Which maps these are, in words.
        log_prob: Total nats of each log10 map, `[N]`.
        rows: Which test maps the generated ones are compared with, `[M]`.
        generated: One map at the parameters of each of them, `[M, H, W]`; see `theta_to_draw_at`.
        is_usable: Which generated maps are finite and positive everywhere, `[M]`.
        checks: Counts of bad pixels of all generated maps.
        checked_against: Whose extremes the pixels were checked against: "training" or "test" maps.
        statistics: Generated against test maps; empty for several channels.
        at_cosmologies: The same at single test simulations.
        num_unusable_at_cosmologies: Maps generated for these that are not finite and positive everywhere.
        symmetry: How much the density changes under shifts and reflections; None if a density is not finite.
        posteriors: Posteriors of some test maps; None if there are none.
        provenance: Where the numbers come from, name -> value.
        not_measured: Reasons, by the name of what was not measured.
        options: How much was measured.
        nuisance: Names of the parameters that one does not ask for. Densities are at the true ones; generated maps have
            others, drawn from their prior.
    """

    test: HIMapDataset
    label: str
    log_prob: np.ndarray
    rows: np.ndarray
    generated: np.ndarray
    is_usable: np.ndarray
    checks: SampleChecks
    checked_against: str
    statistics: MapStatistics
    at_cosmologies: tuple[AtOneCosmology, ...]
    num_unusable_at_cosmologies: int
    symmetry: SymmetryDefect | None
    posteriors: PosteriorScores | None
    provenance: dict[str, object] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    options: EvaluationOptions = EvaluationOptions()
    nuisance: tuple[str, ...] = ()

    @property
    def parameters_of_interest(self):
        """The parameters that one asks for, a `ParameterSpace`."""
        return self.test.parameters.without(self.nuisance)

    @property
    def place_of_generated(self):
        """Where the generated maps were drawn, in words that go on after "at the same"."""
        if not self.nuisance:
            return "parameters"
        return f"{', '.join(self.parameters_of_interest.names)}, with {', '.join(self.nuisance)} drawn from their prior"

    @cached_property
    def metrics(self):
        """All numbers as `Metric`s with error and floor, by name: the content of metrics.json."""
        return evaluation_metrics(self)

    def verdict(self):
        """`Verdict`: the numbers that matter most, what each means, and whether it is off."""
        return Verdict(tuple(verdict_rows(self)))
