"""What is wrong with an expression or a policy, with a caret at the place."""

from domain.errors import Invalid


class ExpressionError(Invalid):
    """An expression that is refused; `detail` shows the place under the text."""

    def __init__(self, message: str, text: str, start: int = 0, end: int | None = None) -> None:
        end = max(start + 1, min(end if end is not None else len(text), len(text)))
        shown, before = _line(text, start)
        width = max(1, min(end - start, len(shown) - before))
        caret = " " * before + "^" * width
        super().__init__(
            f"{message}\n  {shown}\n  {caret}",
            code="invalid-expression",
            message=message,
            start=start,
            end=end,
        )
        self.message = message


def _line(text: str, start: int) -> tuple[str, int]:
    """At most 100 characters around a place, on one line, and where the place is in them."""
    first = max(0, start - 40)
    piece = text[first : first + 100]
    shown = "".join(c if c.isprintable() else " " for c in piece)
    return shown, start - first


class PolicyError(Invalid):
    """A policy document that is refused; `where` names the part."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(f"{where}: {message}", code="invalid-policy", where=where)
