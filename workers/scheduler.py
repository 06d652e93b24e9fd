"""The queue as it is now: everything that decisions about it depend on, put together."""

import time

from domain.run import Run
from domain.scheduling import (
    Admit,
    Limits,
    Offer,
    Preempt,
    Reject,
    Reserve,
    Situation,
    decide,
)
from domain.scheduling.feasibility import too_many_queued
from infra.nodes import Node
from workers.rights import Rights
from workers.run_book import RunBook, account_of


class Scheduler:
    """Decides for the runs of a book, by the rights that people have."""

    def __init__(self, book: RunBook, rights: Rights) -> None:
        self._book = book
        self._rights = rights
        self._reserved: dict[str, str] = {}
        self.nodes: list[Node] = []
        self.known: list[Node] = []

    def situation(self) -> Situation:
        """What the record and the nodes say now."""
        now, placed = time.time(), self._book.placed()
        return Situation(
            self._book.queue(),
            placed,
            {node.name: _offer_of(node) for node in self.nodes},
            {node.name: _offer_of(node) for node in self.known},
            self._rights.limits,
            self._book.ledger.at(now, placed),
            dict(self._book.served),
            dict(self._reserved),
            now,
        )

    def decide(self) -> list[Admit | Preempt | Reject]:
        """What is to happen now; what room is kept for is remembered until the next time."""
        decisions = decide(self.situation())
        self._reserved = {d.pool: d.run for d in decisions if isinstance(d, Reserve)}
        return [decision for decision in decisions if not isinstance(decision, Reserve)]

    def refusal_to_queue(self, run: Run) -> str | None:
        """Why a run may not wait beside those that wait already."""
        limits_of = self._rights.limits.get
        account = limits_of(account_of(run), Limits())
        user = limits_of(run.created_by, Limits())
        if account.max_queued is None and user.max_queued is None:
            return None
        return too_many_queued(self._book.waiting(run), self._book.queue(), account, user)


def _offer_of(node: Node) -> Offer:
    return Offer(node.resources, node.pool)
