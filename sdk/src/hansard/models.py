"""Models in and out of user code: `save_model` and `load_model`."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

from hansard.artifacts.transfer import Progress
from hansard.client import Client, Pushed, Version
from hansard.client.content import Details, Files, files_of, stored
from hansard.client.content_results import StoredFile
from hansard.client_errors import HansardError
from hansard.formats.objects import Cut, File
from hansard.tensor_maps import Framework, map_tensors
from hansard.tensors import is_tensor, write_tensors

TENSORS_FILE = "model.safetensors"
_SUFFIX = ".safetensors"
_ATTEMPTS = 3


class LoadedModel(Mapping[str, Any]):
    """Tensors by name, on the files of the cache; changing one changes no file.

    `load_state_dict` takes it as it is. `files` are all safetensors files it was made of.
    """

    def __init__(
        self, tensors: Mapping[str, Any], version: Version, files: Sequence[StoredFile]
    ) -> None:
        self._tensors = dict(tensors)
        self.version = version
        self.files = tuple(files)

    @property
    def artifact(self) -> str:
        """The id of the artifact that holds the files."""
        return "" if self.version.content is None else self.version.content.artifact

    def __getitem__(self, name: str) -> Any:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"<{len(self)} tensors of version {self.version.number}, {self.version.id}>"


def save_model(
    name: str,
    content: Any,
    *,
    files: Files | None = None,
    project: str | None = None,
    aliases: Sequence[str] = (),
    input_example: Any = None,
    client: Client | None = None,
    on_progress: Progress | None = None,
    **said: Unpack[Details],
) -> Pushed:
    """Publish a model as the next version under its name, which is made if it is not there.

    `content` is a module of torch, tensors of torch or numpy by name, or the path of a file or a
    folder; `files` go along. Tensors are kept as safetensors, tied ones once. What is `said` are
    description, tags, card, metrics, parameters, input_schema, output_schema, environment, and the
    versions it was made of and with: `parents`, `data`. `input_example` gives the `input_schema`
    and is not kept. Raises HansardError (TensorError for what is no tensor, a pickle among them),
    OSError.
    """
    if input_example is not None:
        said = {"input_schema": schema_of(input_example), **said}
    with tempfile.TemporaryDirectory(prefix="hansard-") as folder, _using(client) as platform:
        found, temporary = _files(content, files, Path(folder))
        return platform.models.push(
            found,
            name,
            project=project,
            aliases=aliases,
            remember=not temporary,
            on_progress=on_progress,
            **said,
        )


def load_model(
    ref: str,
    *,
    framework: Framework | None = None,
    client: Client | None = None,
    verify: bool = False,
    on_progress: Progress | None = None,
) -> LoadedModel:
    """The tensors of a model: `NAME`, `NAME:3`, `NAME@champion` or an id.

    They are of torch if it is installed, unless `framework` says numpy. What this machine has
    fetched before is not fetched again, and nothing is read before it is used; `verify` reads and
    checks all of it. Raises NotFound, TensorError, Corrupt, Unreachable.
    """
    with _using(client) as platform:
        for attempt in range(_ATTEMPTS):
            version, found = platform.models.cached(
                ref, _holds_tensors, verify=verify, on_progress=on_progress
            )
            files = found.layout.files
            if not files:
                raise HansardError(
                    f"version {version.number} holds no safetensors: pull its files instead"
                )
            try:
                tensors = map_tensors({f.path: f for f in files}, found.places, framework)
            except FileNotFoundError:  # evicted between the fetch and the map
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return LoadedModel(tensors, version, [stored(file) for file in files])
    raise AssertionError("every attempt returns or raises")


def schema_of(example: Any) -> dict[str, Any]:
    """What an example says of a model's input: types, and shapes with the first dimension free.

    >>> import numpy
    >>> schema_of({"x": numpy.zeros((2, 3), "float32"), "k": 5})["members"]["x"]
    {'type': 'tensor', 'dtype': 'float32', 'shape': [None, 3]}
    """
    if is_tensor(example):
        shape = [None, *map(int, example.shape[1:])] if len(example.shape) else []
        dtype = str(example.dtype).removeprefix("torch.")
        return {"type": "tensor", "dtype": dtype, "shape": shape}
    if isinstance(example, Mapping):
        members = {str(name): schema_of(value) for name, value in example.items()}
        return {"type": "object", "members": members}
    if isinstance(example, list | tuple):
        return {"type": "list", "items": schema_of(example[0]) if example else {}}
    return {"type": type(example).__name__}


def _files(content: Any, files: Files | None, folder: Path) -> tuple[dict[str, str], bool]:
    """The files to push, and whether tensors had to be written for them."""
    extra = {} if files is None else files_of(files)
    temporary = not isinstance(content, str | Path)
    if temporary:
        path = folder / TENSORS_FILE
        write_tensors(_tensors(content), path)
        own = {TENSORS_FILE: str(path)}
    else:
        own = files_of(content)
    if twice := own.keys() & extra.keys():
        raise HansardError(f"`{min(twice)}` is given twice")
    return own | extra, temporary


def _tensors(content: Any) -> Mapping[str, Any]:
    state = getattr(content, "state_dict", None)
    if callable(state):
        content = state()
    if not isinstance(content, Mapping):
        raise HansardError(
            f"a {type(content).__name__} is neither a module of torch, nor tensors by name, nor a "
            "path: other objects could only be pickled, which is not accepted"
        )
    return content


def _holds_tensors(file: File) -> bool:
    return file.cut is Cut.TENSORS or file.path.endswith(_SUFFIX)


@contextmanager
def _using(client: Client | None) -> Iterator[Client]:
    """The caller's client, or one that is closed in the end."""
    if client is not None:
        yield client
        return
    with Client() as own:
        yield own
