"""What a file is, by its content alone, and whether it is refused: pickles are, by structure."""

from infra.artifacts.inspection.recognition import FORMATS, Verdict, first_look, inspect
from infra.artifacts.inspection.source import Reader

__all__ = ["FORMATS", "Reader", "Verdict", "first_look", "inspect"]
