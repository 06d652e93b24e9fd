"""What a file is, by its content alone, and whether it is refused: pickles are, by structure."""

from infra.artifacts.inspection.recognition import FORMATS, Verdict, first_look, inspect
from infra.artifacts.inspection.source import Memory, Reader

__all__ = ["FORMATS", "Memory", "Reader", "Verdict", "first_look", "inspect"]
