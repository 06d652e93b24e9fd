"""What a step can see and do in the box that bubblewrap makes, tried from within."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.artifact_box import content_of
from tests.integration.levels import PROBLEM, STRONGEST, needs_bubblewrap
from tests.integration.node_box import Node, job, node
from workers.launch_spec import LaunchSpec


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


def found(box: Node, body: str, **changes: Any) -> dict[str, Any]:
    """What a step in bubblewrap finds: ``body`` fills the dictionary `r`."""
    source = "import os, socket, sys\nfrom pathlib import Path\n"
    spec = box.spec(source + job(f"r = {{}}\n{body}\nreturn r"), sandbox="bubblewrap", **changes)
    end = box.run(spec)
    assert end["outcome"] == "succeeded", (end, box.lines(spec, "stderr"))
    results: dict[str, Any] = end["results"]
    return results


def test_auto_is_the_strongest_that_works_here(box: Node) -> None:
    spec = box.spec(job("pass"))
    box.run(spec)
    assert box.statuses(spec)[0]["sandbox"] == STRONGEST, PROBLEM


@needs_bubblewrap
def test_the_host_is_not_there(box: Node) -> None:
    secret = box.root / "token"
    secret.write_text("secret")
    listed = (
        f'r["secret"] = Path({str(secret)!r}).exists()\n'
        f'r["work"] = os.listdir({str(box.work)!r})\n'
        'r["home"] = [str(p) for p in Path("/root").rglob("*") if p.is_file()][:3]\n'
        'r["homes"] = Path("/home").exists()\n'
        'r["var"] = Path("/var").exists()\n'
        'r["etc"] = sorted(os.listdir("/etc"))\n'
        'r["shadow"] = Path("/etc/shadow").exists()\n'
        'r["processes"] = sum(name.isdecimal() for name in os.listdir("/proc"))\n'
        'r["host"] = socket.gethostname()\n'
        'r["fds"] = sorted(os.listdir("/proc/self/fd"), key=int)\n'
        'r["token"] = os.environ.get("RAY_AUTH_TOKEN")'
    )
    other = box.spec(job("pass"))
    box.run(other)
    r = found(box, listed)
    assert (r["secret"], r["homes"], r["var"], r["shadow"]) == (False, False, False, False)
    assert len(r["work"]) == 1  # its own attempt, not the other one's
    assert r["processes"] <= 3  # the box's first process, the runner
    assert (r["host"], r["token"]) == ("step", None)
    assert r["fds"] == ["0", "1", "2", "3"]  # the last one is that of the listing


@needs_bubblewrap
def test_only_the_folder_of_the_step_can_be_written(box: Node) -> None:
    content = content_of(box.server.artifacts, {"a.csv": b"1,2"})
    given = {"train": {"version": "version-1", "content": content, "mode": "copy"}}
    places = [
        *("/etc/x", "/usr/x", "/x", "/dev/x", "/proc/sys/kernel/hostname", "bundles/x"),
        *(
            "/proc/sys/kernel/core_pattern",
            "/proc/sysrq-trigger",
            "data/train/x",
            "data/train/a.csv",
        ),
        *("step.json", "weights/x"),
    ]
    body = (
        f"places = {places!r} + [sys.prefix + '/x', '/tmp/x', '/dev/shm/x', 'x']\n"
        "for place in places:\n"
        "    try:\n"
        "        os.chmod(place, 0o666)\n"
        "    except OSError:\n"
        "        pass\n"
        "    try:\n"
        "        open(place, 'a').close()\n"
        "        r[place] = True\n"
        "    except OSError:\n"
        "        r[place] = False"
    )
    r = found(box, body, datasets=given)
    assert {place for place, written in r.items() if written} == {"/tmp/x", "/dev/shm/x", "x"}


@needs_bubblewrap
def test_it_is_nobody_without_rights(box: Node) -> None:
    body = (
        'r["ids"] = [os.getuid(), os.getgid(), os.getgroups()]\n'
        'status = Path("/proc/self/status").read_text()\n'
        'r["caps"] = [line.split()[1] for line in status.splitlines() if line.startswith("Cap")]\n'
        'r["new"] = "NoNewPrivs:\\t1" in status\n'
        "import getpass, pwd\n"
        'r["name"] = pwd.getpwuid(os.getuid()).pw_name\n'
        'r["user"] = getpass.getuser()'
    )
    r = found(box, body)
    assert r["ids"][:2] == [65534, 65534]
    assert set(r["ids"][2]) <= {65534}
    assert set(r["caps"]) == {"0" * 16}
    assert r["new"] is True
    assert (r["name"], r["user"]) == ("nobody", "nobody")


@needs_bubblewrap
def test_there_is_no_network_unless_it_is_granted(box: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        body = (
            f'try:\n    socket.create_connection(("127.0.0.1", {port}), 2)\n    r["met"] = True\n'
            'except OSError:\n    r["met"] = False\n'
            'r["names"] = [name for _, name in socket.if_nameindex()]\n'
            'own = socket.create_server(("localhost", 0))\n'
            'r["own"] = bool(socket.create_connection(own.getsockname()))'
        )
        assert found(box, body) == {"met": False, "names": ["lo"], "own": True}
        granted = found(box, body, network=True)
        assert (granted["met"], granted["own"]) == (True, True)


@needs_bubblewrap
def test_variables_and_secrets_arrive_and_are_in_nobodys_sight(box: Node) -> None:
    body = (
        'r["given"] = [os.environ["WORD"], os.environ["KEY"]]\n'
        "for name in os.listdir('/proc'):\n"
        "    if name.isdecimal() and int(name) != os.getpid():\n"
        "        r[name] = Path(f'/proc/{name}/cmdline').read_text()\n"
        'print(os.environ["KEY"])'
    )
    secrets = {"KEY": "s3cr3t-value"}
    r = found(box, body, variables={"WORD": "open", "TZ": "Mars"}, secrets=secrets)
    assert r.pop("given") == ["open", "[redacted:KEY]"]
    assert "s3cr3t" not in str(r)
    told = b"".join(path.read_bytes() for path in box.work.glob("*/outbox"))
    assert b"s3cr3t-value" not in told
    assert b"[redacted:KEY]" in told


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONPATH", "HANSARD_STEP_DIR", "A=B", ""])
def test_a_variable_that_would_change_the_platforms_programs_is_refused(
    box: Node, name: str
) -> None:
    end = box.run(box.spec(job("pass"), variables={name: "x"}))
    assert (end["outcome"], end["exit_code"]) == ("failed", None)
    assert repr(name) in end["reason"]


def refused(box: Node, spec: LaunchSpec) -> str:
    end = box.run(spec)
    assert (end["outcome"], end["exit_code"]) == ("failed", None)
    assert [status["state"] for status in box.statuses(spec)] == ["ended"]
    reason: str = end["reason"]
    return reason


def test_a_step_is_not_started_below_the_level_that_is_demanded(box: Node) -> None:
    spec = box.spec(job("pass"), sandbox="limits", least_sandbox="bubblewrap")
    assert refused(box, spec) == "this node offers `limits`, policy demands `bubblewrap`"


def test_a_node_without_bubblewrap_says_so(box: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(box.root))
    told = "this node offers `limits` (bubblewrap is not installed), policy demands `bubblewrap`"
    assert refused(box, box.spec(job("pass"), least_sandbox="bubblewrap")) == told
    told = "the sandbox `bubblewrap` was set, and this node lacks it: bubblewrap is not installed"
    assert refused(box, box.spec(job("pass"), sandbox="bubblewrap")) == told
    spec = box.spec(job("pass"))
    assert box.run(spec)["outcome"] == "succeeded"
    assert box.statuses(spec)[0]["sandbox"] == "limits"


def test_a_bubblewrap_that_does_not_work_is_not_used(
    box: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = box.root / "bwrap"
    program.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{box.root}:{os.environ['PATH']}")
    spec = box.spec(job("pass"))
    assert box.run(spec)["outcome"] == "succeeded"
    assert box.statuses(spec)[0]["sandbox"] == "limits"
    assert "No permissions" in refused(box, box.spec(job("pass"), sandbox="bubblewrap"))
