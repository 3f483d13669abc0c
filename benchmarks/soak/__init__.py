"""The soak: kills, malformed requests, damaged files, full disks and two writers, against the whole product.

python -m benchmarks.soak --out FOLDER [--short] [--part PART ...] [--seed S] [--processes 1|2]
"""

__all__ = []
