"""Serving: a trained model as a TensorFlow SavedModel that needs no package of ours."""

from higlow_tf.serving.export import export_model

__all__ = ["export_model"]
