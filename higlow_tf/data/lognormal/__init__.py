"""The lognormal suite: maps whose density, entropy and posterior are known exactly.

`u = log10 HI = 6.5 + G`, where `G` is a periodic two-dimensional Gaussian field. Its power is `b**2` times the linear
matter power at redshift 6, projected over a 5 Mpc/h slab of the periodic 25 Mpc/h box, plus white noise of 0.05 dex a
pixel. A model trained on such maps can be compared with the truth instead of with another model.
"""

from higlow_tf.data.lognormal.density import entropy, fisher_information, log_prob, log_prob_grid
from higlow_tf.data.lognormal.field import mode_variance, sample
from higlow_tf.data.lognormal.marginals import ExactMarginals, exact_marginals
from higlow_tf.data.lognormal.posterior import ExactPosterior, exact_posterior_grid
from higlow_tf.data.lognormal.power import linear_power, projected_power
from higlow_tf.data.lognormal.writer import write_lognormal

__all__ = [
    "ExactMarginals",
    "ExactPosterior",
    "entropy",
    "exact_marginals",
    "exact_posterior_grid",
    "fisher_information",
    "linear_power",
    "log_prob",
    "log_prob_grid",
    "mode_variance",
    "projected_power",
    "sample",
    "write_lognormal",
]
