"""The library's extensible JSON transcoder, with orjson doing the work."""

from typing import Any

import orjson
from eventsourcing.persistence import JSONTranscoder

_PLAIN = frozenset({str, int, float, bool, type(None)})


class OrjsonTranscoder(JSONTranscoder):
    """Writes the same bytes as the library's transcoder and reads them several times faster."""

    def encode(self, obj: Any) -> bytes:
        """JSON of plain values and of types with a registered transcoding."""
        return orjson.dumps(self._plain(obj))

    def decode(self, data: bytes) -> Any:
        """What `encode` was given."""
        value = orjson.loads(data)
        return self._restore(value) if b'"_type_"' in data else value

    def _plain(self, obj: Any) -> Any:
        kind = type(obj)
        if kind in _PLAIN:
            return obj
        if kind is dict:
            return {key: self._plain(value) for key, value in obj.items()}
        if kind is list:
            return [self._plain(value) for value in obj]
        encoded = self._encode_obj(obj)
        return {"_type_": encoded["_type_"], "_data_": self._plain(encoded["_data_"])}

    def _restore(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._restore(item) for item in value]
        if isinstance(value, dict):
            return self._decode_obj({key: self._restore(item) for key, item in value.items()})
        return value
