"""ONNX models: walked as messages, so that none can name a file outside itself."""

from collections.abc import Mapping
from enum import Enum, auto

from infra.artifacts.inspection.cursor import Cursor, EndOfFile
from infra.artifacts.inspection.source import NotRecognised, Refused, Source

_FIELD_UNITS = 80
_FIELD_IN_ARCHIVE_UNITS = 240  # an archive may hold many models
_MAX_DEPTH = 64
_MAX_VARINT_BYTES = 10
_SMALL_BYTES = 4096
_LOCATION = b"location"
"""The key under which a tensor names another file: what lacks it is not looked into."""

_VARINT, _EIGHT_BYTES, _MESSAGE, _FOUR_BYTES = 0, 1, 2, 5
_GRAPH_OF_MODEL = 7
_MODEL_FIELDS = frozenset({*range(1, 9), 14, 20, 25, 26})
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


class _Kind(Enum):
    MODEL = auto()
    GRAPH = auto()
    NODE = auto()
    ATTRIBUTE = auto()
    SPARSE_TENSOR = auto()
    FUNCTION = auto()
    TRAINING = auto()
    TENSOR = auto()


_PARTS: Mapping[_Kind, Mapping[int, _Kind]] = {
    _Kind.MODEL: {7: _Kind.GRAPH, 20: _Kind.TRAINING, 25: _Kind.FUNCTION},
    _Kind.GRAPH: {1: _Kind.NODE, 5: _Kind.TENSOR, 15: _Kind.SPARSE_TENSOR},
    _Kind.NODE: {5: _Kind.ATTRIBUTE},
    _Kind.ATTRIBUTE: {
        **dict.fromkeys((5, 10), _Kind.TENSOR),
        **dict.fromkeys((6, 11), _Kind.GRAPH),
        **dict.fromkeys((22, 23), _Kind.SPARSE_TENSOR),
    },
    _Kind.SPARSE_TENSOR: {1: _Kind.TENSOR, 2: _Kind.TENSOR},
    _Kind.FUNCTION: {7: _Kind.NODE, 11: _Kind.ATTRIBUTE},
    _Kind.TRAINING: {1: _Kind.GRAPH, 2: _Kind.GRAPH},
    _Kind.TENSOR: {},
}
"""The messages that a tensor can be in, by the number of their field."""


class _NotOnnx(Exception):
    """These are not the messages of a model."""


def onnx(source: Source) -> str:
    """Raises Refused for what is no model, or one that reads other files."""
    try:
        _Walk(source).run()
    except (_NotOnnx, EndOfFile):
        raise NotRecognised from None
    return "onnx"


class _Walk:
    """Passes through the messages of a model; `_open` holds those entered, and where they end."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._cursor = Cursor(source)
        self._open: list[tuple[_Kind, int]] = [(_Kind.MODEL, source.size)]
        self._has_graph = False
        self._field_units = _FIELD_IN_ARCHIVE_UNITS if source.depth else _FIELD_UNITS

    def run(self) -> None:
        while self._open:
            kind, end = self._open[-1]
            if self._cursor.at == end:
                self._open.pop()
            else:
                self._source.budget.spend(self._field_units)
                self._field(kind, end)
        if not self._has_graph:
            raise _NotOnnx

    def _field(self, kind: _Kind, end: int) -> None:
        tag = self._varint()
        number, wire = tag >> 3, tag & 7
        if kind is _Kind.MODEL:
            self._check_model_field(number, wire)
        if kind is _Kind.TENSOR:
            self._check_tensor_field(number, wire)
        if wire == _VARINT:
            self._varint()
        elif wire == _MESSAGE:
            self._message(_PARTS[kind].get(number), end)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            self._cursor.at += 8 if wire == _EIGHT_BYTES else 4
        else:
            raise _NotOnnx
        if self._cursor.at > end or (wire != _MESSAGE and number in _PARTS[kind]):
            raise _NotOnnx

    def _message(self, part: _Kind | None, end: int) -> None:
        length = self._varint()
        if self._cursor.at + length > end:
            raise _NotOnnx
        if part is None or (length <= _SMALL_BYTES and _LOCATION not in self._cursor.look(length)):
            self._cursor.at += length
            return
        if len(self._open) == _MAX_DEPTH:
            raise Refused("the ONNX model nests graphs too deep to be checked: simplify it", "onnx")
        self._open.append((part, self._cursor.at + length))

    def _check_model_field(self, number: int, wire: int) -> None:
        if number not in _MODEL_FIELDS:
            raise _NotOnnx
        if number == _GRAPH_OF_MODEL:
            self._has_graph = wire == _MESSAGE

    def _check_tensor_field(self, number: int, wire: int) -> None:
        elsewhere = number == _DATA_LOCATION and wire == _VARINT and self._cursor.look(1) != b"\0"
        if elsewhere or number == _EXTERNAL_DATA:
            raise Refused(
                "the ONNX model reads data from other files: save it as one file, without external"
                " data",
                "onnx",
            )

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
            byte = self._cursor.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise _NotOnnx
