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
    """

    content: dict
    parameters: object
    calibration: object

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
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{file}: expected a model card with parameters and calibration. Received: {error}."
            ) from error
        return cls(content, parameters, calibration)

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
