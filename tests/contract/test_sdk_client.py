"""The SDK's clients against the real application: real servers, real HTTP, a real projector."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from hansard.client import AsyncClient, Client, Fill, LiveEvent, StatusEvent
from hansard.client_errors import Conflict, Invalid, NotFound, Unauthenticated
from tests.contract.served_platform import Address, a_model, a_name, an_executor

T = TypeVar("T")


async def blocking(address: Address, story: Callable[[Client], T]) -> T:
    """Tell a story with the blocking client while the server runs on this loop."""

    def told() -> T:
        with Client(address.url, address.token) as client:
            return story(client)

    return await asyncio.to_thread(told)


async def test_an_entity_is_created_found_changed_archived_and_restored(address: Address) -> None:
    def story(client: Client) -> None:
        name = a_name()
        made = client.experiments.create(name, description="first")
        assert client.experiments.get(name) == made
        changed = client.experiments.update(made.id, name=f"{name}!", tags={"team": "blue"})
        assert (changed.name, changed.tags) == (f"{name}!", {"team": "blue"})
        assert client.experiments.archive(made.id).archived
        assert client.experiments.find(changed.name) is None
        assert not client.experiments.restore(made.id).archived
        assert client.experiments.find(changed.name) is not None

    await blocking(address, story)


async def test_a_taken_name_is_a_conflict_that_says_so(address: Address) -> None:
    def story(client: Client) -> str:
        name = a_name()
        client.projects.create(name)
        with pytest.raises(Conflict) as caught:
            client.projects.create(name)
        return caught.value.code

    assert await blocking(address, story) == "name-taken"


async def test_a_list_goes_through_all_pages_without_repeats(address: Address) -> None:
    async with AsyncClient(address.url, address.token) as client:
        project = await client.projects.create(a_name())
        wanted = {
            (await client.experiments.create(f"e{i}", project=project.id)).id for i in range(5)
        }
        found = [e.id async for e in client.experiments.list(project=project.id)]
        assert sorted(found) == sorted(wanted)


async def test_pushing_the_same_folder_again_makes_no_version(
    address: Address, tmp_path: Path
) -> None:
    folder = a_model(tmp_path / "model", a_name())

    def story(client: Client) -> None:
        sent: list[tuple[int, int]] = []
        first = client.push(folder, on_progress=lambda *told: sent.append(told))
        again = client.push(folder)
        assert (first.number, first.created, again.created) == (1, True, False)
        assert again.id == first.id
        assert sent[-1][0] == sent[-1][1] > 0
        (folder / "more.py").write_text("x = 1\n")
        assert client.push(folder).number == 2
        assert client.version(f"{first.name}:1").id == first.id

    await blocking(address, story)


async def test_a_bundle_is_refused_with_the_place_of_what_is_wrong(
    address: Address, tmp_path: Path
) -> None:
    folder = a_model(tmp_path / "model", a_name())
    (folder / "requirements.txt").write_text("there-is-no-such-package-of-hansard==1\n")

    def story(client: Client) -> str:
        with pytest.raises(Invalid) as caught:
            client.push(folder)
        return str(caught.value)

    assert "there-is-no-such-package-of-hansard" in await blocking(address, story)


async def test_a_run_is_asked_for_by_names_and_ends_when_cancelled(
    address: Address, tmp_path: Path
) -> None:
    model, job = a_name(), a_name()

    def story(client: Client) -> None:
        client.push(a_model(tmp_path / "model", model))
        client.push(an_executor(tmp_path / "job", job))
        slots = {"model": Fill(f"model/{model}:1", {"width": 16}, keep=True)}
        run = client.run(job, slots, {"epochs": 5}, experiment="sdk", seed=7)
        assert run.parameters == {"epochs": 5}
        assert run.slots["model"]["parameters"] == {"width": 16}
        assert (run.seed, run.ended) == (7, False)
        with pytest.raises(TimeoutError):
            client.wait(run, timeout_s=0.2)
        client.runs.note(run.id, "watched")
        client.runs.cancel(run.id, "enough")
        ended = client.wait(run)
        assert (ended.status, ended.notes[0]["note"]) == ("cancelled", "watched")
        assert client.series(run).items == ()
        assert list(client.runs.logs(run.id)) == []
        assert next(client.runs.list(status="cancelled")).id == run.id

    await blocking(address, story)


async def test_what_does_not_fit_is_refused_with_a_sentence(
    address: Address, tmp_path: Path
) -> None:
    job = a_name()

    def story(client: Client) -> None:
        client.push(an_executor(tmp_path / "job", job))
        with pytest.raises(Invalid, match="slot `model`"):
            client.run(job)
        with pytest.raises(NotFound, match="no model or loader `nothing here`"):
            client.run(job, {"model": "nothing here"})
        with pytest.raises(NotFound, match="no run `never`"):
            client.wait("never")

    await blocking(address, story)


async def test_a_live_subscription_ends_with_its_run(address: Address, tmp_path: Path) -> None:
    async with AsyncClient(address.url, address.token) as client:
        model = await client.push(a_model(tmp_path / "model", a_name()))
        job = await client.push(an_executor(tmp_path / "job", a_name()))
        run = await client.run(job, {"model": model})
        heard: list[LiveEvent] = []

        async def listen_to_it() -> None:
            heard.extend([event async for event in client.live(run=run)])

        listening = asyncio.create_task(listen_to_it())
        await asyncio.sleep(0.5)
        await client.runs.cancel(run.id)
        await asyncio.wait_for(listening, 10)
        statuses = [event.status for event in heard if isinstance(event, StatusEvent)]
        assert statuses[-1] == "cancelled"
        assert [event async for event in client.live(run=run)] == []


async def test_a_wrong_token_is_refused_and_told_nowhere(address: Address) -> None:
    secret = "not-a-token-" + "x" * 20
    async with AsyncClient(address.url, secret) as client:
        with pytest.raises(Unauthenticated) as caught:
            await client.me()
    assert secret not in repr(caught.value) + str(caught.value.members)


async def test_the_caller_is_told_who_it_is(address: Address) -> None:
    async with AsyncClient(address.url, address.token) as client:
        assert (await client.me()).id.startswith("user-")
