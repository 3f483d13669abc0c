"""What a model is worth: measured on maps that it was not trained on, with an error and a verdict."""

__all__ = []
