"""`hansard models`, `datasets`, `lineage` and `cache`, as their users start them."""

import os
from pathlib import Path

import numpy
import pytest
import safetensors.numpy

from tests.contract.command_line import Shell
from tests.contract.served_platform import a_name


def weights(folder: Path, seed: int = 0) -> Path:
    """A folder with weights that no other test has."""
    folder.mkdir(exist_ok=True)
    made = numpy.random.default_rng([seed, *os.urandom(8)])
    mark = os.urandom(4).hex()  # in the header too
    tensors = {f"w{mark}": made.random((300, 40)), "b": made.random(40)}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(f'{{"name": "{a_name()}"}}')
    return folder


async def test_a_model_goes_in_is_shown_and_comes_out_as_it_was(shell: Shell) -> None:
    name, folder = a_name(), weights(shell.home / "net")
    (shell.home / "README.md").write_text("# A net")
    pushed = await shell.json(
        *("models", "push", str(folder), "--name", name, "--alias", "champion"),
        *("--metric", "acc=0.9", "--param", "lr=0.1", "--tag", "team=blue", "--card", "README.md"),
    )
    assert (pushed["number"], pushed["metrics"], pushed["parameters"]) == (
        *(1, {"acc": 0.9}),
        {"lr": 0.1},
    )
    shown = await shell.json("models", "show", f"{name}@champion")
    assert (shown["name"], shown["version"]["card"]) == (name, "# A net")
    assert [file["path"] for file in shown["files"]] == ["config.json", "model.safetensors"]
    text = (await shell.ok("models", "show", name)).out
    assert all(each in text for each in ("champion", "model.safetensors", "# A net", pushed["id"]))
    listed = await shell.json("models", "ls", "--filter", f"name == '{name}'")
    assert [each["name"] for each in listed] == [name]
    for command in ("pull", "download"):
        out = shell.home / command
        ended = await shell.ok("models", command, f"{name}:1", str(out))
        assert ended.out.strip() == str(out)
        for path in folder.iterdir():
            assert (out / path.name).read_bytes() == path.read_bytes()
    again = await shell("models", "pull", name, str(shell.home / "pull"))
    assert (again.code, again.out) == (1, "")
    assert "exists already" in again.err
    assert (await shell.ok("models", "push", str(folder), "--name", name)).out.startswith(
        "unchanged: model"
    )


async def test_aliases_move_together_and_bad_ones_change_nothing(shell: Shell) -> None:
    name = a_name()
    for seed in (1, 2):
        await shell.ok("models", "push", str(weights(shell.home / "net", seed)), "--name", name)
    await shell.ok("models", "alias", name, "champion=1", "challenger=2")
    moved = await shell.json("models", "alias", name, "champion=2", "challenger=")
    assert moved["aliases"] == {"champion": 2}
    for wrong in (["champion"], ["champion=x"], ["champion=-1"], ["a=1", "a=2"]):
        assert (await shell("models", "alias", name, *wrong)).code == 2
    refused = await shell("models", "alias", name, "champion=9")
    assert (refused.code, "there is no version 9" in refused.err) == (1, True)


async def test_deleting_asks_says_what_is_freed_and_heeds_holds(shell: Shell) -> None:
    name = a_name()
    await shell.ok("models", "push", str(weights(shell.home / "net")), "--name", name)
    ref = f"{name}:1"
    unasked = await shell("models", "delete", ref, "--reason", "old")
    assert (unasked.code, "say --yes" in unasked.err) == (1, True)
    assert (await shell.json("models", "hold", ref, "--reason", "audit"))["hold"] == "audit"
    held = await shell("models", "delete", ref, "--reason", "old", "--yes")
    assert (held.code, held.out) == (1, "")
    await shell.ok("models", "release", ref, "--reason", "over")
    deleted = await shell.json("models", "delete", ref, "--reason", "old", "--yes")
    assert deleted["freed_bytes"] > 10_000
    pulled = await shell("models", "pull", ref, str(shell.home / "out"))
    assert (pulled.code, "was deleted (old)" in pulled.err) == (1, True)


async def test_annotations_and_retention_are_said_of_a_version(shell: Shell) -> None:
    name = a_name()
    await shell.ok("models", "push", str(weights(shell.home / "net")), "--name", name)
    said = await shell.json("models", "annotate", name, "--metric", "f1=0.5", "--tag", "a=b")
    assert (said["metrics"], said["tags"]) == ({"f1": 0.5}, {"a": "b"})
    assert (await shell("models", "annotate", name, "--metric", "f1=nan")).code == 2
    kept = await shell.json("models", "retain", name, "--until", "2w")
    assert kept["retained_until"] is not None


@pytest.mark.parametrize(
    "content", [b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94.", b"cos\n"]
)
async def test_a_pickle_is_refused_with_what_to_do_instead(shell: Shell, content: bytes) -> None:
    (shell.home / "model.pkl").write_bytes(content)
    ended = await shell("models", "push", "model.pkl", "--name", a_name())
    assert (ended.code, ended.out) == (1, "")
    assert "is a pickle" in ended.err
    assert "Traceback" not in ended.err


async def test_datasets_are_pushed_compared_and_held_against_expectations(shell: Shell) -> None:
    name, mark = a_name(), a_name()
    table = shell.home / "rows.csv"
    table.write_text(f"id,text\n1,{mark}\n2,b\n")
    first = await shell.json("datasets", "push", "rows.csv", "--name", name, "--no-wait")
    assert (first["kind"], first["form"]) == ("dataset", "table")
    table.write_text(f"id,text\n1,{mark}\n2,c\n3,d\n")
    await shell.ok("datasets", "push", "rows.csv", "--name", name, "--no-wait")
    found = await shell.json("datasets", "diff", f"{name}:1", f"{name}:2", "--key", "id")
    assert (found["tables"]["added"], found["tables"]["changed"]) == (1, 1)
    text = (await shell.ok("datasets", "diff", f"{name}:1", f"{name}:2", "--key", "id")).out
    assert "~ rows.csv" in text
    assert "rows: 1 added, 0 removed, 1 changed" in text
    (shell.home / "expect.yaml").write_text("rows: {min: 1}\n")
    expected = await shell.json("datasets", "expect", name, "expect.yaml")
    assert expected["expectations"] == "rows: {min: 1}\n"
    assert (await shell("datasets", "expect", name)).code == 2
    assert "not been checked" in (await shell.ok("datasets", "checks", name)).out
    assert "not been looked into" in (await shell.ok("datasets", "profile", name)).out
    wrong = await shell("datasets", "diff", f"{name}:1", f"{name}:2", "--key", "nothing")
    assert (wrong.code, "Traceback" in wrong.err) == (1, False)
    missing = await shell("datasets", "push", "s3://", "--name", name)
    assert (missing.code, "Traceback" in missing.err) == (1, False)


async def test_lineage_is_a_tree_of_names(shell: Shell) -> None:
    name = a_name()
    (shell.home / "d.csv").write_text(f"a\n{name}\n")
    await shell.ok("datasets", "push", "d.csv", "--name", name, "--no-wait")
    for seed, more in ((1, []), (2, ["--parent", f"{name}:1", "--data", name])):
        folder = str(weights(shell.home / "net", seed))
        await shell.ok("models", "push", folder, "--name", name, *more)
    lines = (await shell.ok("lineage", f"model/{name}:2", "--up")).out.splitlines()
    assert lines[0] == "made from"
    assert lines[1].strip().startswith(f"model {name}:2")
    assert {line.split("  version")[0] for line in lines[2:]} == {
        *(f"    model {name}:1", f"    dataset {name}:1"),
    }
    found = await shell.json("lineage", f"dataset/{name}", "--down", "--depth", "1")
    assert len(found["edges"]) == 1
    assert (await shell("lineage", f"model/{name}", "--up", "--down")).code == 2


def parts_of(cache: Path) -> list[Path]:
    return [path for path in (cache / "parts").rglob("*") if path.is_file()]


async def test_the_cache_is_shown_verified_and_cleared(shell: Shell) -> None:
    name = a_name()
    await shell.ok("models", "push", str(weights(shell.home / "net")), "--name", name)
    await shell.ok("models", "pull", name, "out")
    shown = await shell.json("cache", "show")
    assert shown["bytes"] > 10_000
    assert (await shell.json("cache", "verify"))["damaged"] == []
    part = max(
        parts_of(Path(shown["folder"])),
        key=lambda path: path.stat().st_size,
    )
    times, content = part.stat(), bytearray(part.read_bytes())
    content[7] ^= 1
    part.write_bytes(content)
    os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
    verified = await shell("cache", "verify", "--json")
    assert (verified.code, verified.document["damaged"]) == (1, [str(part)])
    assert (await shell.json("cache", "clear"))["files"] > 0
    assert (await shell.json("cache", "show"))["files"] == 0
    wrong = await shell("cache", "show", HANSARD_CACHE_MB="lots")
    assert (wrong.code, "whole number" in wrong.err) == (1, True)
