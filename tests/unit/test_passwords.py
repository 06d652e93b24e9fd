"""What a password costs whoever tries many."""

from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from infra.passwords import _NOBODYS


def test_a_password_costs_what_rfc_9106_asks_also_of_a_user_who_is_not_there() -> None:
    made = extract_parameters(PasswordHasher().hash("correct horse"))
    assert made == extract_parameters(_NOBODYS) == RFC_9106_LOW_MEMORY
