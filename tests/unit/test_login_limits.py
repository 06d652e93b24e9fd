"""How many failed logins there may be: per login, per address, within five minutes."""

import pytest

from api import login_limits
from api.login_limits import MOST_KNOWN, PER_ADDRESS, PER_LOGIN, WINDOW_S, LoginLimits
from domain.errors import DomainError


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> LoginLimits:
    return LoginLimits(clock)


def refusal(limits: LoginLimits, address: str, login: str | None = None) -> DomainError:
    with pytest.raises(DomainError) as caught:
        limits.attempt(address, login)
    return caught.value


def test_a_login_has_five_failures_from_anywhere_in_any_case(limits: LoginLimits) -> None:
    for number in range(PER_LOGIN):
        limits.attempt(f"address {number}", "Ada")
    error = refusal(limits, "address", "ADA")
    assert (error.code, error.context) == ("too-many-logins", {"retry_after_s": WINDOW_S})
    limits.attempt("address", "bob")


def test_an_address_has_twenty_failures_whatever_it_tries(limits: LoginLimits) -> None:
    for number in range(PER_ADDRESS - 1):
        limits.attempt("address", f"login {number}")
    limits.attempt("address")
    assert refusal(limits, "address").code == "too-many-logins"
    assert refusal(limits, "address", "ada").code == "too-many-logins"
    limits.attempt("another", "ada")


def test_failures_are_forgotten_one_by_one_after_five_minutes(
    limits: LoginLimits, clock: Clock
) -> None:
    for _ in range(PER_LOGIN):
        limits.attempt("address", "ada")
        clock.now += 10
    assert refusal(limits, "address", "ada").context["retry_after_s"] == WINDOW_S - 50
    clock.now += WINDOW_S - 50
    limits.attempt("address", "ada")
    assert refusal(limits, "address", "ada").context["retry_after_s"] == 10


def test_a_refused_attempt_counts_for_nothing(limits: LoginLimits, clock: Clock) -> None:
    for _ in range(PER_LOGIN):
        limits.attempt("address", "ada")
    clock.now += WINDOW_S - 1
    refusal(limits, "address", "ada")
    clock.now += 1
    limits.attempt("address", "ada")


def test_a_success_forgets_the_failures_of_the_login_and_its_own_of_the_address(
    limits: LoginLimits,
) -> None:
    for number in range(PER_ADDRESS - 1):
        limits.attempt("address", f"login {number}")
    for _ in range(3 * PER_ADDRESS):
        limits.attempt("address", "Ada")
        limits.succeeded("address", "ada")
    limits.attempt("address", "bob")
    assert refusal(limits, "address", "ada").code == "too-many-logins"


def test_what_is_known_is_bounded(limits: LoginLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_limits, "MOST_KNOWN", 10)
    assert MOST_KNOWN > 10
    for _ in range(PER_LOGIN):
        limits.attempt("first", "ada")
    for number in range(10):
        limits.attempt(f"address {number}")
    limits.attempt("first", "ada")
