"""Policies of the tests: each under a name of its own, out of force again when a test ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from policies.shipped import shipped_policies
from tests.integration.conftest import Servers
from tests.integration.people import done
from tests.integration.platform import Platform, running


def a_name() -> str:
    """A policy's name that is not in use."""
    return f"test-{uuid4().hex[:12]}"


def a_text(name: str, rule: str, *, effect: str = "deny", **more: Any) -> str:
    """A policy of one rule, over reading experiments if nothing else is said."""
    entity, actions = more.pop("entity", "experiment"), more.pop("actions", "read")
    subject, tests = more.pop("subject", "{}"), more.pop("tests", "[]")
    return (
        f"policy: {name}\nentity: {entity}\nactions: {actions}\nsubject: {subject}\n"
        "root:\n  combine: deny-overrides\n  rules:\n"
        f'    - {{id: it, effect: {effect}, when: "{rule}"}}\n'
        f"tests: {tests}\n"
    )


async def post(platform: Platform, path: str, **body: Any) -> httpx.Response:
    """Ask as the first administrator; `path` is below /policies."""
    return await platform.http.post(f"/v1/policies/{path}", json=body)


async def propose(platform: Platform, name: str, text: str) -> int:
    """Propose a text; answers its number."""
    body = {"text": text, "comment": "for a test"}
    answer = await platform.http.post(f"/v1/policies/{name}/proposals", json=body)
    return int(done(answer)["number"])


async def activate(platform: Platform, name: str, number: int, confirm: int = 10**6) -> int:
    """Put a proposal in force; answers the position."""
    path = f"/v1/policies/{name}/proposals/{number}/activate"
    return int(done(await platform.http.post(path, json={"confirm_loss": confirm}))["position"])


async def in_force(platform: Platform, text: str) -> str:
    """Put a text in force; answers the policy's name."""
    name = text.partition("policy: ")[2].partition("\n")[0]
    await activate(platform, name, await propose(platform, name, text))
    return name


async def an_experiment(platform: Platform, **sharing: Any) -> str:
    """One of the first administrator, shared as given."""
    body = {"name": f"experiment {uuid4().hex[:12]}"}
    id_ = str(done(await platform.http.post("/v1/experiments", json=body))["id"])
    if sharing:
        done(await platform.http.put(f"/v1/experiments/{id_}/sharing", json=sharing))
    return id_


async def new_group(platform: Platform) -> str:
    """Founded by the first administrator."""
    body = {"name": f"group {uuid4().hex[:12]}"}
    return str(done(await platform.http.post("/v1/groups", json=body))["id"])


async def latest(platform: Platform) -> dict[str, int]:
    """Parameters that wait until everything is folded."""
    last = await platform.services.log.last()
    assert last is not None
    return {"min_position": last.position}


@asynccontextmanager
async def governed(servers: Servers, folder: Any) -> AsyncIterator[Platform]:
    """A platform that has the shipped policies alone again at the end."""
    async with running(servers, folder) as platform:
        try:
            yield platform
        finally:
            platform.services.settings.policy_four_eyes = False
            for document in (await platform.services.policies.newest()).documents:
                if document.policy not in shipped_policies():
                    body = {"reason": "the test is over", "confirm_loss": 10**6}
                    path = f"/v1/policies/{document.policy}/retire"
                    done(await platform.http.post(path, json=body))
