"""Login, password and session through HTTP: what opens, what does not, and what never leaks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from infra.event_log import direct_get
from infra.event_log.reading import DirectReader
from infra.passwords import password_digest
from tests.integration.conftest import Servers
from tests.integration.people import PASSWORD, Person, a_login, a_person, code_of, done, visiting
from tests.integration.platform import Platform, running

OTHER = "staple battery horse"


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


async def with_password(platform: Platform) -> tuple[Person, dict[str, str]]:
    """A person who can sign in, and what with."""
    login = a_login()
    person = await a_person(platform, login=login)
    done(await person.call("PUT", f"/users/{person.id}/password", {"password": PASSWORD}))
    return person, {"login": login, "password": PASSWORD}


async def log_in(
    platform: Platform, body: dict[str, str], address: str | None = None
) -> httpx.Response:
    """From an address of its own, where none is given."""
    async with visiting(platform, address or uuid4().hex) as http:
        return await http.post("/v1/session", json=body)


async def stored(platform: Platform, user: str) -> list[bytes]:
    """What the password stream holds for a user."""
    reader = DirectReader(platform.services.nats)
    request = direct_get.last_of_each("PASSWORDS", [f"password.{user}.*"])
    return [message.payload for message in await reader.fetch(request)]


async def test_a_session_opens_everything_until_it_is_closed(platform: Platform) -> None:
    ada, credentials = await with_password(platform)
    opened = done(await log_in(platform, credentials | {"login": credentials["login"].upper()}))
    assert opened["user"] == ada.id
    session = Person(platform, ada.id, opened["token"])
    me = done(await session.call("GET", "/users/me"))
    assert (me["id"], me["scopes"]) == (ada.id, ["read", "write", "admin"])
    params = {"min_position": opened["position"]}
    rows = done(await session.call("GET", "/tokens", params=params))["items"]
    row = next(row for row in rows if row["id"] == opened["id"])
    assert row["purpose"] == "session"
    assert row["expires_at"][:19] == opened["expires_at"][:19]
    done(await session.call("DELETE", "/session"))
    assert code_of(await session.call("GET", "/users/me"), 401) == "unauthenticated"
    assert code_of(await ada.call("DELETE", "/session"), 409) == "conflict"


async def test_whatever_is_wrong_with_a_login_has_one_answer(platform: Platform) -> None:
    ada, credentials = await with_password(platform)
    without = a_login()
    await a_person(platform, login=without)
    shut_out, theirs = await with_password(platform)
    done(await platform.http.post(f"/v1/users/{shut_out.id}/disable"))
    answers = [
        await log_in(platform, body)
        for body in (
            {**credentials, "password": OTHER},
            {"login": a_login(), "password": PASSWORD},
            {"login": ada.id, "password": PASSWORD},
            {"login": without, "password": PASSWORD},
            theirs,
        )
    ]
    assert {code_of(answer, 401) for answer in answers} == {"login-failed"}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert done(await log_in(platform, credentials))["user"] == ada.id


@pytest.mark.parametrize(
    "content",
    [
        b'{"login": "a"}',
        b'{"login": "", "password": "x"}',
        b'{"login": "a", "password": 7}',
        b'{"login": "a\\ud800", "password": "x"}',
        b'{"login": "a", "password": "x\\ud800"}',
        b'{"login": "a", "password": "x", "user": "root"}',
        b'["a", "x"]',
    ],
)
async def test_bad_credentials_are_refused_in_words(platform: Platform, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with visiting(platform, uuid4().hex) as http:
        answer = await http.post("/v1/session", content=content, headers=headers)
    assert code_of(answer, 422) == "invalid"


async def test_a_login_is_locked_after_five_failures_wherever_they_come_from(
    platform: Platform,
) -> None:
    _, credentials = await with_password(platform)
    wrong = {**credentials, "password": OTHER}
    for _ in range(4):
        assert code_of(await log_in(platform, wrong), 401) == "login-failed"
    done(await log_in(platform, credentials))
    answers = await asyncio.gather(*(log_in(platform, wrong) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 3
    locked = await log_in(platform, credentials)
    assert code_of(locked, 429) == "too-many-logins"
    assert 0 < int(locked.headers["Retry-After"]) <= 300


async def test_nobody_is_kept_from_a_new_password_by_logins_that_fail(
    platform: Platform,
) -> None:
    ada, _ = await with_password(platform)
    for login in (ada.id, f"password of {ada.id}"):
        wrong = {"login": login, "password": OTHER}
        answers = [await log_in(platform, wrong) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    body = {"password": OTHER, "current_password": PASSWORD}
    done(await ada.call("PUT", f"/users/{ada.id}/password", body))


async def test_an_address_is_locked_after_twenty_failures(platform: Platform) -> None:
    _, credentials = await with_password(platform)
    address = uuid4().hex
    answers = [
        await log_in(platform, {"login": a_login(), "password": OTHER}, address) for _ in range(20)
    ]
    assert {code_of(answer, 401) for answer in answers} == {"login-failed"}
    assert code_of(await log_in(platform, credentials, address), 429) == "too-many-logins"
    done(await log_in(platform, credentials))


async def test_a_new_password_needs_the_present_one_and_replaces_it(platform: Platform) -> None:
    ada, credentials = await with_password(platform)
    path = f"/users/{ada.id}/password"
    missing = await ada.call("PUT", path, {"password": OTHER})
    assert code_of(missing, 422) == "invalid"
    assert missing.json()["field"] == "current_password"
    wrong = await ada.call("PUT", path, {"password": OTHER, "current_password": OTHER})
    assert code_of(wrong, 403) == "forbidden"
    done(await ada.call("PUT", path, {"password": OTHER, "current_password": PASSWORD}))
    assert code_of(await log_in(platform, credentials), 401) == "login-failed"
    done(await log_in(platform, {**credentials, "password": OTHER}))
    assert len(await stored(platform, ada.id)) == 1
    done(await platform.http.put(f"/v1{path}", json={"password": PASSWORD}))
    done(await log_in(platform, credentials))


async def test_the_present_password_cannot_be_guessed_with_a_stolen_token(
    platform: Platform,
) -> None:
    ada, _ = await with_password(platform)
    path = f"/users/{ada.id}/password"
    guess = {"password": OTHER, "current_password": OTHER}
    for _ in range(5):
        assert code_of(await ada.call("PUT", path, guess), 403) == "forbidden"
    right = {"password": OTHER, "current_password": PASSWORD}
    assert code_of(await ada.call("PUT", path, right), 429) == "too-many-logins"


async def test_of_passwords_set_at_once_the_one_recorded_opens(platform: Platform) -> None:
    ada, credentials = await with_password(platform)
    path = f"/v1/users/{ada.id}/password"
    wanted = [f"{PASSWORD} {number}" for number in range(3)]
    answers = await asyncio.gather(
        *(platform.http.put(path, json={"password": password}) for password in wanted)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    (winner,) = [p for p, answer in zip(wanted, answers, strict=True) if answer.is_success]
    for password in wanted:
        answer = await log_in(platform, {**credentials, "password": password})
        assert answer.is_success == (password == winner)


@pytest.mark.parametrize("password", ["x" * 9, "x" * 201, "nul\0nul\0nul\0", 1234567890])
async def test_a_bad_password_is_refused(platform: Platform, password: object) -> None:
    ada = await a_person(platform)
    answer = await ada.call("PUT", f"/users/{ada.id}/password", {"password": password})
    assert code_of(answer, 422) == "invalid"
    assert await stored(platform, ada.id) == []


async def test_a_service_account_has_no_password(platform: Platform) -> None:
    robot = await a_person(platform, service=True)
    answer = await platform.http.put(f"/v1/users/{robot.id}/password", json={"password": PASSWORD})
    assert code_of(answer, 409) == "conflict"
    assert await stored(platform, robot.id) == []


async def test_a_login_changes_hands_only_when_it_is_free(platform: Platform) -> None:
    ada, credentials = await with_password(platform)
    bob = await a_person(platform, login=a_login())
    place, taken = f"/v1/users/{bob.id}/login", {"login": credentials["login"].title()}
    assert code_of(await platform.http.put(place, json=taken), 409) == "name-taken"
    done(await platform.http.put(f"/v1/users/{ada.id}/login", json={"login": a_login()}))
    assert code_of(await log_in(platform, credentials), 401) == "login-failed"
    done(await platform.http.put(place, json=taken))
    done(await platform.http.put(place, json=taken))
    done(await platform.http.put(f"/v1/users/{bob.id}/password", json={"password": OTHER}))
    assert done(await log_in(platform, {**taken, "password": OTHER}))["user"] == bob.id
    done(await platform.http.put(place, json={"login": None}))
    assert code_of(await log_in(platform, {**taken, "password": OTHER}), 401) == "login-failed"
    back = await platform.http.put(f"/v1/users/{ada.id}/login", json=taken)
    assert done(back)["id"] == ada.id


async def test_no_login_password_or_secret_is_recorded_or_logged(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    ada, credentials = await with_password(platform)
    opened = done(await log_in(platform, credentials))
    await log_in(platform, {**credentials, "password": OTHER})
    (hashed,) = await stored(platform, ada.id)
    assert hashed.startswith(b"$argon2id$")
    position, events = 0, b""
    while messages := await platform.services.log.read_after(position, 500):
        events += b"".join(message.payload for message in messages)
        position = messages[-1].position
    assert password_digest(hashed.decode()).encode() in events
    told = capsys.readouterr()
    everything = events + told.out.encode() + told.err.encode()
    secrets = (*credentials.values(), OTHER, hashed.decode(), opened["token"].split("_", 2)[2])
    assert not [secret for secret in secrets if secret.encode() in everything]
