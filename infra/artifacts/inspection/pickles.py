"""Tells pickles by structure: the stream is followed as an unpickler would, and nothing is run.

No names of modules are known here. What counts is that a stream gets as far as to import, call or
build something, whatever comes after; and that prose, which may begin like a pickle by chance,
does not. Where the unpicklers of Python differ, the one that accepts more is followed.
"""

from collections.abc import Callable

from infra.artifacts.inspection.cursor import EndOfFile, Unreachable
from infra.artifacts.inspection.pickle_opcodes import OPCODES, Value
from infra.artifacts.inspection.pickle_stream import Broken, Dangerous, PickleStream
from infra.artifacts.inspection.source import Refused, Source

REASON = (
    "it is a pickle, which can run code when it is loaded: save weights as safetensors, tables as"
    " Parquet or CSV, scikit-learn models with skops"
)
FORMAT = "pickle"

_PROTO = 0x80
_MAX_PROTO = 5


def check(source: Source, *, text: bool) -> None:
    """Raises Refused if the beginning of the file is a pickle that can do anything.

    Of what is `text` more is asked than an import: that something is called with arguments, or
    that the pickle is complete. Lines of words can look like the beginning of one.
    """
    try:
        _Machine(source, text=text).run()
    except Unreachable:
        if not text:
            raise Refused(
                "it cannot be told from a pickle inside the compressed file: upload it uncompressed"
            ) from None
    except (Broken, EndOfFile):
        return
    except Dangerous:
        raise Refused(REASON, FORMAT) from None


def begins_one(head: bytes) -> bool:
    """Whether this is how a pickle of protocol 2 or later begins."""
    return len(head) > 2 and head[0] == _PROTO and 2 <= head[1] <= _MAX_PROTO and head[2] in OPCODES


class _Machine:
    """Follows a stream opcode by opcode."""

    def __init__(self, source: Source, *, text: bool) -> None:
        self._stream = PickleStream(source)
        self._text = text
        self._stack: list[Value] = []
        self._memo: dict[int, Value] = {}
        self._imported = False
        self._called = False

    def run(self) -> None:
        """Follow the stream to its end. Raises Broken, EndOfFile, Dangerous, Refused."""
        while True:
            opcode, argument = self._stream.next()
            if opcode.name == "STOP":
                return self._stop()
            special = _SPECIAL.get(opcode.name)
            if special is not None:
                special(self, argument)
                continue
            if opcode.marked:
                self._to_mark()
            for _ in range(opcode.takes):
                self._pop()
            self._stack += opcode.gives

    def _stop(self) -> None:
        self._pop()
        complete = self._stream.is_at_end()
        if self._called or (complete and (self._imported or self._memo)):
            raise Dangerous

    def _pop(self) -> Value:
        if not self._stack or self._stack[-1] is Value.MARK:
            raise Broken
        return self._stack.pop()

    def _to_mark(self) -> list[Value]:
        """What is above the mark, which goes too."""
        values: list[Value] = []
        while self._stack:
            value = self._stack.pop()
            if value is Value.MARK:
                return values[::-1]
            values.append(value)
        raise Broken

    def mark(self, _: bytes) -> None:
        self._stack.append(Value.MARK)

    def pop(self, _: bytes) -> None:
        if not self._stack:
            raise Broken
        self._stack.pop()

    def dup(self, _: bytes) -> None:
        value = self._pop()
        self._stack += (value, value)

    def put(self, argument: bytes) -> None:
        self._memo[_index(argument)] = value = self._pop()
        self._stack.append(value)

    def put_line(self, argument: bytes) -> None:
        self._memo[_line_index(argument)] = value = self._pop()
        self._stack.append(value)

    def memoize(self, _: bytes) -> None:
        self._memo[len(self._memo)] = value = self._pop()
        self._stack.append(value)

    def get(self, argument: bytes) -> None:
        self._recall(_index(argument))

    def get_line(self, argument: bytes) -> None:
        self._recall(_line_index(argument))

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise Broken
        self._stack.append(self._memo[index])

    def import_(self, _: bytes) -> None:
        self._imported = True
        if not self._text:
            raise Dangerous
        self._stack.append(Value.LIVE)

    def import_from_stack(self, argument: bytes) -> None:
        if Value.SCALAR in (self._pop(), self._pop()):
            raise Broken
        self.import_(argument)

    def reduce(self, _: bytes) -> None:
        self._call_with_arguments(self._pop())

    def new_object_with_keywords(self, _: bytes) -> None:
        self._pop()
        self._call_with_arguments(self._pop())

    def _call_with_arguments(self, arguments: Value) -> None:
        if self._pop() is not Value.LIVE or arguments is Value.SCALAR:
            raise Broken
        self._call([arguments])

    def instance(self, argument: bytes) -> None:
        self.import_(argument)  # Python's own unpickler imports before it looks for the mark
        self._pop()
        self._call(self._to_mark())

    def object(self, _: bytes) -> None:
        callee, *arguments = self._to_mark() or [Value.SCALAR]
        if callee is not Value.LIVE:
            raise Broken
        self._call(arguments)

    def change_marked(self, _: bytes) -> None:
        self._change(self._to_mark())

    def change(self, _: bytes) -> None:
        self._change([self._pop()])

    def change_item(self, _: bytes) -> None:
        self._change([self._pop(), self._pop()])

    def _change(self, values: list[Value]) -> None:
        """Something below is appended to, or set up: by its own methods if it is no plain data."""
        target = self._pop()
        if target is Value.LIVE:
            self._call(values)
        else:
            self._stack.append(target)

    def _call(self, arguments: list[Value]) -> None:
        self._called = True
        if any(value is not Value.SCALAR for value in arguments):
            raise Dangerous
        self._stack.append(Value.LIVE)


def _index(argument: bytes) -> int:
    return int.from_bytes(argument, "little")


def _line_index(argument: bytes) -> int:
    try:
        return int(argument.partition(b"\0")[0])
    except ValueError:
        raise Broken from None


_SPECIAL: dict[str, Callable[[_Machine, bytes], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "DUP": _Machine.dup,
    "PUT": _Machine.put_line,
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get_line,
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("GLOBAL", "EXT1", "EXT2", "EXT4"), _Machine.import_),
    "STACK_GLOBAL": _Machine.import_from_stack,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine.reduce),
    "NEWOBJ_EX": _Machine.new_object_with_keywords,
    "INST": _Machine.instance,
    "OBJ": _Machine.object,
    **dict.fromkeys(("APPEND", "BUILD"), _Machine.change),
    "SETITEM": _Machine.change_item,
    **dict.fromkeys(("APPENDS", "SETITEMS", "ADDITEMS"), _Machine.change_marked),
}
