"""The smallest Glow, for tests of what is done with a run: building its graphs is the most of their time."""

__all__ = ["SETTINGS", "SMALLEST"]

SMALLEST = {f"model.{name}": 1 for name in ("num_levels", "num_steps_per_level", "width")}
SETTINGS = [word for name, value in SMALLEST.items() for word in ("--set", f"{name}={value}")]
