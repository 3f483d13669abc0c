"""What a model card tells a client."""

from dataclasses import dataclass

from higlow_tf.errors import InputError

__all__ = ["Card"]

# Cells an axis of a grid that is sent along, by number of parameters.
_POINTS_PER_AXIS = {1: 64, 2: 12, 3: 9}


@dataclass(frozen=True, eq=False)
class Card:
    """A model card.

    Args:
        content: All of it.
        parameters: `ParameterSpace` of theta.
        calibration: `Calibration` of the posteriors.
        sentences: What a user should read first: what the model is, what it was trained on, what it must not be used for; as
            far as the card says it.
    """

    content: dict
    parameters: object
    calibration: object
    sentences: tuple

    @classmethod
    def read(cls, file):
        """Reads a card.

        Raises:
            InputError: If it is none.
        """
        from higlow_tf.data.card_parameters import parameters_of_card
        from higlow_tf.inference.calibration import Calibration
        from higlow_tf.text_files import read_json

        content = read_json(file, "a model card (JSON)")
        try:
            parameters = parameters_of_card(content["parameters"])
            calibration = Calibration.from_config(content["calibration"])
            sentences = tuple(_sentences(content))
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(
                f"{file}: expected a model card with parameters and calibration. Received: {error}."
            ) from error
        return cls(content, parameters, calibration, sentences)

    def centres(self):
        """Centres of equal cells of the prior, for requests that cannot leave the grid to the model: `[G, P]`.

        Raises:
            InputError: If there are too many parameters for a grid.
        """
        from higlow_tf.inference.uniform_grid import theta_grid_over_prior

        points = _POINTS_PER_AXIS.get(len(self.parameters))
        if points is None:
            raise InputError(
                f"theta_grid: expected points [G, P]: {len(self.parameters)} parameters are too many for a grid of equal cells. "
                "Received: none."
            )
        return theta_grid_over_prior(self.parameters, points)


def _sentences(content):
    if "summary" in content:
        yield f"{content['name']}: {content['summary']}"
    data, split = content.get("data"), content.get("split")
    if data and split:
        yield (
            f"Trained on {split['num_maps']['train']} maps; suite: {data['suite']}, redshift: {data['redshift']}, "
            f"box: {data['box_size_mpc_h']} Mpc/h."
        )
    for limit in content.get("must_not_be_used_for", ()):
        yield f"Not for: {limit}"
