"""Collects what stands against a request, so that all of it can be told at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from domain.errors import DomainError


class Findings:
    """Refusals in the order in which they were found."""

    def __init__(self) -> None:
        self.refusals: list[DomainError] = []

    def add(self, field: str, refusal: DomainError) -> None:
        """Take in a refusal; it is of this field unless it names one itself."""
        refusal.context.setdefault("field", field)
        self.refusals.append(refusal)

    @contextmanager
    def about(self, field: str) -> Iterator[None]:
        """Take in what is refused within; the next check goes on all the same."""
        try:
            yield
        except DomainError as refusal:
            self.add(field, refusal)

    def as_json(self) -> list[dict[str, Any]]:
        """Each as `field`, `code` and `detail`."""
        return [
            {"field": each.context["field"], "code": each.code, "detail": each.detail}
            for each in self.refusals
        ]

    def require_none(self) -> None:
        """Raise the first refusal, which tells of all as `errors` where there are several."""
        if len(self.refusals) > 1:
            self.refusals[0].context["errors"] = self.as_json()
        if self.refusals:
            raise self.refusals[0]
