"""Proofs of single events, from the record and its ledger."""

from contextlib import closing
from typing import Any

from domain.errors import Conflict
from infra.audit.proof import NotProven, Prover


def proof_of(url: str, position: int) -> dict[str, Any]:
    """The proof of an event. Raises Conflict `unsigned` until a checkpoint covers it."""
    with closing(Prover(url)) as prover:
        try:
            return prover.prove(position).document()
        except NotProven as error:
            if error.pending:
                raise Conflict(str(error), code="unsigned") from None
            raise Conflict(str(error)) from None
