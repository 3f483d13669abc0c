"""Pages that a person opens: pictures and words of what was measured."""

__all__ = []
