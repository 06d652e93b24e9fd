"""The client's flows on people and policies without any transport: repeats, masks, names."""

import httpx
import pytest

from hansard.client import reference
from hansard.client.effect import Request
from hansard.client.people import Tokens
from hansard.client.policies import Policies, policy_name
from hansard.client.results import Run
from hansard.client.sender import SyncSender, identify
from hansard.client.session import Session
from hansard.client_errors import HansardError, Invalid
from hansard.credentials import Credentials, find_credentials
from tests.unit.test_client_flows import Script, reply, told

USER = "user-00000000-0000-7000-8000-000000000001"
TEXT = "policy: reading\nentity: run\n"


def a_row(name: str, number: int) -> dict[str, object]:
    return {"id": f"experiment-{number}", "name": name}


def test_a_token_whose_answer_was_lost_is_no_token() -> None:
    tokens: Tokens[SyncSender] = Tokens.__new__(Tokens)
    tokens._session = Session(0)
    script = Script(reply({"id": "token-1", "position": 3, "repeated": True, "token": None}))
    with pytest.raises(HansardError, match=r"token-1 was made, but .* revoke it"):
        told(Tokens.issue.flow(tokens, USER), script)


def test_a_repeated_proposal_is_found_by_its_text() -> None:
    policies: Policies[SyncSender] = Policies.__new__(Policies)
    policies._session = Session(0)
    made = {"number": 2, "text": TEXT, "digest": "d", "by": USER, "at": "2026-01-01T00:00:00Z"}
    about = {"created_by": USER, "created_at": made["at"], "updated_at": made["at"]}
    policy = {"id": "policy-reading", "name": "reading", "active": None, "active_digest": None}
    script = Script(
        reply({"id": "policy-reading", "position": 3, "repeated": True}),
        reply({**policy, **about, "proposals": [made]}),
    )
    _, proposed = told(Policies.propose.flow(policies, TEXT), script)
    assert (proposed.number, proposed.digest) == (2, "d")


def test_questions_ask_for_the_callers_own_writes() -> None:
    session = Session(0)
    told(session.write("DELETE", "/v1/x", None, key=True), Script(reply({"position": 9})))
    script = Script(reply({}))
    told(session.question("/v1/policies/explain", {"action": "read"}), script)
    (asked,) = script.asked(Request)
    assert (asked.method, asked.query) == ("POST", {"min_position": "9"})
    assert "Idempotency-Key" not in asked.headers


@pytest.mark.parametrize(
    ("text", "name"),
    [(TEXT, "reading"), ('# a remark\npolicy: "a-1"  # so\n', "a-1"), ("policy: 'b'\n", "b")],
)
def test_a_policy_says_its_name(text: str, name: str) -> None:
    assert policy_name(text) == name


@pytest.mark.parametrize("text", ["", "entity: run\n", "  policy: inside\n", "policy: Not-So\n"])
def test_a_text_without_a_name_is_no_policy(text: str) -> None:
    with pytest.raises(Invalid, match="names no policy"):
        policy_name(text)


@pytest.mark.parametrize(("rows", "count"), [(2, "2 experiments"), (6, "more than 5 experiments")])
def test_a_name_that_several_have_is_refused_with_their_ids(rows: int, count: str) -> None:
    script = Script(reply({"items": [a_row("first", number) for number in range(rows)]}))
    with pytest.raises(Invalid, match=f"^{count} are called `first` \\(experiment-0, experi"):
        told(reference.find(Session(0), "experiment", "first"), script)


def test_of_runs_of_one_name_the_newest_is_meant() -> None:
    script = Script(reply({"items": [{"id": "run-2"}, {"id": "run-1"}]}))
    assert told(reference.find(Session(0), "run", "again"), script)[1] == {"id": "run-2"}


@pytest.mark.parametrize(
    ("given", "id_"),
    [(USER, USER), ("policy-reading", "policy-reading"), ("policy/reading", "policy-reading")],
)
def test_what_is_an_id_or_follows_from_the_name_is_not_asked_for(given: str, id_: str) -> None:
    assert told(reference.resolve_any(Session(0), given), Script())[1] == id_


@pytest.mark.parametrize("given", ["first", "spaceship/first", "user/ada", "token/mine"])
def test_a_bare_name_does_not_say_what_is_meant(given: str) -> None:
    with pytest.raises(Invalid, match=r"neither an id nor KIND/NAME|has no other name"):
        told(reference.resolve_any(Session(0), given), Script())


def test_a_masked_member_is_none_and_named_whatever_its_type() -> None:
    run = Run.model_validate(
        {
            **dict.fromkeys(Run.model_fields),
            "id": "run-1",
            "masked": ["parameters", "created_at"],
        }
    )
    assert run.masked == ("parameters", "created_at")
    members = run.model_dump(warnings=False)
    assert (members["parameters"], members["created_at"]) == (None, None)


def test_an_empty_token_is_nobodys() -> None:
    environment = {"HANSARD_TOKEN": "mine"}
    found = find_credentials("http://host:1", "", environment)
    assert found == Credentials("http://host:1", "")
    headers: dict[str, str] = {"Authorization": "Bearer mine"}

    sent = httpx.Headers(headers)
    identify(sent, found.token)
    assert "Authorization" not in sent
    identify(sent, "another")
    assert sent["Authorization"] == "Bearer another"
