"""People of the tests: registered over HTTP, each with a client of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from api.main import create_app
from tests.integration.platform import Platform

PASSWORD = "correct horse battery"


def a_login() -> str:
    """One that nobody has."""
    return f"login-{uuid4().hex[:12]}"


def done(answer: httpx.Response) -> dict[str, Any]:
    """The body of a success."""
    assert answer.status_code in (200, 201, 202), answer.text
    body: dict[str, Any] = answer.json()
    return body


def code_of(answer: httpx.Response, status: int) -> str:
    """The problem code of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).removeprefix("urn:hansard:problem:")


@asynccontextmanager
async def visiting(
    platform: Platform, address: str, token: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client at an address, with a token or without."""
    app = create_app(platform.services)
    transport = httpx.ASGITransport(app, client=(address, 1), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://hansard.test", headers=headers
    ) as http:
        yield http


class Person:
    """A user, who calls with a token."""

    def __init__(self, platform: Platform, id_: str, token: str) -> None:
        self.id = id_
        self.token = token
        self.http = platform.http  # the first administrator's, unless a token is given

    async def call(self, verb: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Call the API in this person's name."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return await self.http.request(verb, f"/v1{path}", json=body, headers=headers, **more)


async def a_person(platform: Platform, scopes: list[str] | None = None, **more: Any) -> Person:
    """Registered by the first administrator."""
    body = {"name": "Ada Lovelace", "mail": "ada@example.org", **more}
    id_ = (done(await platform.http.post("/v1/users", json=body)))["id"]
    issued = await platform.http.post(f"/v1/users/{id_}/tokens", json={"scopes": scopes})
    return Person(platform, id_, (done(issued))["token"])


async def a_project(platform: Platform) -> str:
    """Opened by the first administrator."""
    name = f"project {uuid4().hex[:10]}"
    return str((done(await platform.http.post("/v1/projects", json={"name": name})))["id"])


async def a_group(founder: Person) -> str:
    """Founded by a person, who is an administrator no longer than that takes."""
    path, body = f"/v1/users/{founder.id}/attributes", {"name": f"group {uuid4().hex[:10]}"}
    done(await founder.http.put(path, json={"attributes": {"admin": True}}))
    group = str(done(await founder.call("POST", "/groups", body))["id"])
    done(await founder.http.put(path, json={"attributes": {}}))
    return group
