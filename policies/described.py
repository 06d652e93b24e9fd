"""What conditions and filters can speak of, as plain data: for editors, and for the curious."""

from collections.abc import Mapping
from typing import Any

from policies.document import Combine
from policies.kinds import ACTIONS, SCHEMAS
from policies.schema import MOMENT, Attribute, Schema


def described(subject: Schema) -> dict[str, Any]:
    """Kinds, subjects (with what active policies declare), the moment, and the ways to combine."""
    return {
        "kinds": {kind: _kind(schema) for kind, schema in SCHEMAS.items()},
        "subject": _attributes(subject.attributes),
        "moment": _attributes(MOMENT.attributes),
        "combining": [str(way) for way in Combine],
    }


def _kind(schema: Schema) -> dict[str, Any]:
    return {
        "actions": list(ACTIONS[schema.kind]),
        "listed": schema.table is not None,
        "attributes": _attributes(schema.attributes),
        "maskable": sorted(schema.maskable) if schema.table is not None else [],
        "filters": _attributes(schema.filters),
        "maps": sorted(schema.maps),
    }


def _attributes(attributes: Mapping[str, Attribute]) -> dict[str, dict[str, Any]]:
    return {
        name: {"type": str(attribute.type), "nullable": attribute.nullable}
        for name, attribute in attributes.items()
    }
