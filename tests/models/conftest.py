"""Fixtures of small maps and models."""

from model_folders import model_folder, saved_model_folder
from toy_models import dataset, make_model

__all__ = ["dataset", "make_model", "model_folder", "saved_model_folder"]
