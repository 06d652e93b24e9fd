"""`hansard demo`: the tutorial beside this file, against a platform of its own, as a story."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tutorial

import hansard

_PATIENCE_S = 120.0
_STOP_S = 60.0


def main(data_dir: Path | None, backend: str) -> None:
    """Tell the story; the last line is one JSON object. Exits with 1 if anything went wrong."""
    started = time.monotonic()
    with TemporaryDirectory(prefix="hansard-demo-", ignore_cleanup_errors=True) as temporary:
        folder = data_dir or Path(temporary) / "data"
        with _platform(folder, backend):
            known = json.loads((folder / "client.json").read_text())
            with hansard.Client(known["url"], known["token"]) as client:
                outcome = tutorial.main(client)
            rebuilt = _command("projections", "rebuild", folder)
            print(f"Read models rebuilt from {rebuilt['events']} events: ", end="")
            print("equal." if rebuilt["equal"] else f"different: {rebuilt['differing']}")
            verified = _command("audit", "verify", folder)
            print(f"Hash chains of {verified['entities']} entities: ", end="")
            print(
                "intact."
                if verified["intact"]
                else f"altered: {verified['finding'] or verified['faults']}"
            )
        print("Stopped; nothing is left running.")
    result = {
        "run": outcome.run.id,
        "status": outcome.run.status,
        "backend": outcome.run.backend,
        "accuracy": outcome.accuracy,
        "events": verified["events"],
        "metric_points": outcome.run.metric_points,
        "model_version": outcome.model_version,
        "rebuild_equal": rebuilt["equal"],
        "seconds": round(time.monotonic() - started, 1),
    }
    print(json.dumps(result))
    if not (rebuilt["equal"] and verified["intact"]):
        sys.exit(1)


@contextmanager
def _platform(folder: Path, backend: str) -> Iterator[None]:
    """`hansard up` in a process of its own, stopped at the end."""
    print(f"Starting nats-server, PostgreSQL, {backend} and Hansard's processes ...")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "up.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [_hansard(), "up", "--data-dir", str(folder), "--backend", backend],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_ready(process, folder, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: "subprocess.Popen[bytes]", folder: Path, log: Path) -> None:
    """All processes have reported ready once; Ray may still be starting in the background."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (folder / "server.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(log.read_text()[-4000:])
        time.sleep(0.05)


def _command(group: str, name: str, folder: Path) -> dict[str, Any]:
    """The answer of a command beside the platform."""
    done = subprocess.run(
        [_hansard(), group, name, "--json", "--data-dir", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    if not done.stdout:
        sys.exit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _hansard() -> str:
    return str(Path(sys.executable).with_name("hansard"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--backend", default="ray", choices=("ray", "local"))
    main(**vars(parser.parse_args()))
