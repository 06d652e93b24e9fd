"""JSON answers, written by orjson; numpy arrays are columns."""

from typing import Any

import orjson
from starlette.responses import JSONResponse


class Answer(JSONResponse):
    """A JSON response."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
