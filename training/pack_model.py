"""Packs a published model for `higlow fetch`: python training/pack_model.py saved_models/NAME DIR, into DIR/NAME.tar.gz."""

import sys

from higlow_tf.gallery import pack_model

__all__ = []

if __name__ == "__main__":
    folder, out_dir = sys.argv[1:]
    archive, sha256 = pack_model(folder, out_dir, overwrite=True)
    archive.with_name(f"{archive.name}.sha256").write_text(f"{sha256}  {archive.name}\n")
    print(f"{archive}\nhiglow fetch ADDRESS/{archive.name} --sha256 {sha256}")
