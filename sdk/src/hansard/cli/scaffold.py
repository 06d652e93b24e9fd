"""Starts a folder of user code from a template that works as it is."""

import json
import re
import shlex
from importlib.resources import files
from pathlib import Path
from string import Template

from hansard.client_errors import HansardError

_SUFFIX = ".template"


def scaffold(kind: str, name: str, folder: Path) -> Path:
    """Make `folder` with code, a test and settings for `hansard push`.

    Raises HansardError if the folder exists or the name gives no class name.
    """
    if folder.exists():
        raise HansardError(f"{folder} exists already: give another --folder")
    words = {
        "class_name": class_name(name),
        "name": json.dumps(name, ensure_ascii=False),
        "title": name,
        "quoted": shlex.quote(name),
    }
    folder.mkdir(parents=True)
    for template in files("hansard").joinpath("templates", kind).iterdir():
        text = Template(template.read_text("utf-8")).substitute(words)
        (folder / template.name.removesuffix(_SUFFIX)).write_text(text, "utf-8")
    # Tests stay at home; a hidden file cannot be a template, as packagers leave those out.
    (folder / ".hansardignore").write_text("test_*.py\n", "utf-8")
    return folder


def class_name(name: str) -> str:
    """A class name for a name.

    >>> class_name("digits net-2")
    'DigitsNet2'
    """
    words = re.findall(r"\w+", name.replace("_", " "))
    joined = "".join(word[0].upper() + word[1:] for word in words)
    if not joined.isidentifier():
        raise HansardError(f"`{name}` gives no class name: begin with a letter")
    return joined
