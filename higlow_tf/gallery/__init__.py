"""Models by name: the folders in which published models lie, their archives, and how one is fetched from an address."""

from higlow_tf.gallery.archive import pack_model, unpack_model
from higlow_tf.gallery.fetch import fetch_model
from higlow_tf.gallery.find import find_run, find_saved_model, find_version, gallery_folders, list_models

__all__ = [
    "fetch_model",
    "find_run",
    "find_saved_model",
    "find_version",
    "gallery_folders",
    "list_models",
    "pack_model",
    "unpack_model",
]
