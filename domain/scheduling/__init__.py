"""Who gets which room, and why somebody waits: pure functions of one situation."""

from domain.scheduling.decide import decide
from domain.scheduling.decisions import Admit, Decision, Preempt, Reject, Reserve
from domain.scheduling.explain import Wait, explain
from domain.scheduling.facts import DEFAULT_POOL, Offer, Placed, Situation, Waiting
from domain.scheduling.foresee import Outlook, foresee
from domain.scheduling.limits import Limits
from domain.scheduling.usage import HALF_LIFE_S, Ledger, Used

__all__ = [
    "DEFAULT_POOL",
    "HALF_LIFE_S",
    "Admit",
    "Decision",
    "Ledger",
    "Limits",
    "Offer",
    "Outlook",
    "Placed",
    "Preempt",
    "Reject",
    "Reserve",
    "Situation",
    "Used",
    "Wait",
    "Waiting",
    "decide",
    "explain",
    "foresee",
]
