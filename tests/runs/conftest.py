"""Fixtures of small maps and models."""

from toy_models import dataset, make_model

__all__ = ["dataset", "make_model"]
