"""The figures of the HIGlow paper: those of an evaluation, in the paper's order and with the paper's numbers."""

from dataclasses import replace

from higlow_tf.reports.evaluation_pictures import maps_picture, power_at_cosmologies_picture, power_picture
from higlow_tf.reports.posterior_pictures import posteriors_picture, predicted_picture

__all__ = ["paper_pictures"]

_PAPER_RMSE = (
    "The paper quotes an RMSE of 0.058 (Omega_m) and 0.065 (sigma_8), with other maps of the same simulations among its "
    "training maps."
)


def paper_pictures(evaluation, calibrated):
    """Fig. 2A, 2B, 2C, 3A and 3B, if they could be measured.

    Args:
        evaluation: `Evaluation` of maps of one field.
        calibrated: `mean`, `sd` and `truth` of the calibrated posteriors of test maps, `[N, P]`.

    Returns:
        List of `Picture`s.
    """
    pictures = [_as("2A", maps_picture(evaluation))]
    if "log10" in evaluation.statistics.powers:
        pictures.append(_as("2B", power_picture(evaluation.statistics.powers["log10"])))
    if evaluation.at_cosmologies:
        pictures.append(_as("2C", power_at_cosmologies_picture(evaluation)))
    if evaluation.posteriors is not None:
        pictures.append(_as("3A", posteriors_picture(evaluation.posteriors)))
    predicted = predicted_picture(*(calibrated[name] for name in ("truth", "mean", "sd")), evaluation.test.parameters)
    return [*pictures, _as("3B", replace(predicted, caption=f"{predicted.caption} {_PAPER_RMSE}"))]


def _as(number, picture):
    title = f"Fig. {number}: {picture.title[0].lower()}{picture.title[1:]}"
    return replace(picture, name=f"fig_{number.lower()}_{picture.name}", title=title)
