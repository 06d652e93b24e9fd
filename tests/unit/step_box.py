"""A step folder as the launcher makes it, for tests that start the runner."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any


class Box:
    """Describe the step in ``step``, add bundles, run it and look at what it left in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.step: dict[str, Any] = {"seed": 7, "slots": {}}

    def bundle(self, name: str, **sources: str) -> str:
        folder = self.root / "bundles" / name
        folder.mkdir(parents=True)
        (folder / "hansard.json").write_text("{}")  # every bundle has its manifest beside its code
        for module, text in sources.items():
            (folder / f"{module}.py").write_text(textwrap.dedent(text))
        return f"bundles/{name}"

    def only(self, source: str, **parameters: object) -> None:
        path = self.bundle("only", main=f"import hansard\n{textwrap.dedent(source)}")
        self.step["executor"] = {"path": path, "entry": "main:Job", "parameters": parameters}

    def start(self) -> "subprocess.Popen[str]":
        (self.root / "step.json").write_text(json.dumps(self.step))
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "hansard.runner"],
            cwd=self.root,
            env={**os.environ, "HANSARD_STEP_DIR": str(self.root), "PYTHONHASHSEED": "7"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self) -> int:
        process = self.start()
        self.output, _ = process.communicate(timeout=60)
        return process.returncode

    def result(self) -> Any:
        assert self.run() == 0, self.output
        assert not (self.root / "failure.json").exists()
        return json.loads((self.root / "result.json").read_text())

    def failure(self) -> dict[str, str]:
        assert self.run() == 1, self.output
        assert not (self.root / "result.json").exists()
        failure: dict[str, str] = json.loads((self.root / "failure.json").read_text())
        return failure
