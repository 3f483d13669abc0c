"""Composition that hands one condition to every child."""

from higlow_tf.bijectors.one_pass import OnePassBijector, zero_log_det

__all__ = ["ConditionalChain"]


class ConditionalChain(OnePassBijector):
    """Applies bijectors one after the other and gives the one condition to each that needs it.

    Type:     that of the first child's input -> that of the last child's output

    Forward:  y = children[-1](... children[0](x))                 # latent -> map: first child first
    Inverse:  x = children[0]**-1(... children[-1]**-1(y))         # map -> latent
    fldj:     sum of the children's fldj
    ildj:     -fldj

    `tfb.Chain` routes keywords by name and silently drops what it cannot route. This chain cannot become unconditional by
    accident. Note the order: the first child acts first in the forward direction (`tfb.Chain` reads like a composition,
    the last child acts first).

    Args:
        bijectors: The children, `OnePassBijector`s, in the order of the forward direction.
        name: Name of this bijector.
        parameters: `dict(locals())` of the constructor of a subclass; None for the arguments above.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required if one child is conditional.

    Raises:
        TypeError: If `conditional_input` is missing.
        ValueError: If there is no child.

    Example:
        >>> from higlow_tf.bijectors import ActNorm, Exp10
        >>> chain = ConditionalChain([Exp10(), ActNorm(lambda: (tf.ones([1]), tf.zeros([1])))])
        >>> chain.forward(tf.ones([1, 1, 1])).numpy().ravel().round(3).tolist()
        [11.0]
    """

    def __init__(self, bijectors, name="conditional_chain", parameters=None):
        parameters = dict(locals()) if parameters is None else parameters
        bijectors = tuple(bijectors)
        if not bijectors:
            raise ValueError("Expected at least one bijector. Received: none.")
        super().__init__(
            is_conditional=any(b.is_conditional for b in bijectors),
            parameters=parameters,
            name=name,
            forward_min_event_ndims=bijectors[0].forward_min_event_ndims,
        )
        self._bijectors = bijectors

    @property
    def bijectors(self):
        """The children, in the order of the forward direction."""
        return self._bijectors

    def forward_and_log_det(self, x, conditional_input=None):
        total = zero_log_det(x)
        for bijector in self._bijectors:
            x, fldj = bijector.forward_and_log_det(x, conditional_input)
            total += fldj
        return x, total

    def inverse_and_log_det(self, y, conditional_input=None):
        total = zero_log_det(y)
        for bijector in reversed(self._bijectors):
            y, ildj = bijector.inverse_and_log_det(y, conditional_input)
            total += ildj
        return y, total

    def _forward_event_shape(self, shape):
        for bijector in self._bijectors:
            shape = bijector.forward_event_shape(shape)
        return shape

    def _inverse_event_shape(self, shape):
        for bijector in reversed(self._bijectors):
            shape = bijector.inverse_event_shape(shape)
        return shape

    def _forward_event_shape_tensor(self, shape):
        for bijector in self._bijectors:
            shape = bijector.forward_event_shape_tensor(shape)
        return shape

    def _inverse_event_shape_tensor(self, shape):
        for bijector in reversed(self._bijectors):
            shape = bijector.inverse_event_shape_tensor(shape)
        return shape
