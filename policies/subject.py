"""Who asks: the attributes of every subject, and the custom ones that policies declare."""

from policies.document import PolicyDocument
from policies.errors import PolicyError
from policies.schema import Attribute, JsonPath, Schema, Type, column

SUBJECT = Schema(
    "subject",
    "account",
    {
        "id": column(Type.STR, "id"),
        "active": column(Type.BOOL, "enabled"),
        "admin": column(Type.BOOL, "admin"),
        "service": column(Type.BOOL, "service"),
        "groups": column(Type.SET, "groups"),
        "viewer_of": column(Type.SET, "viewer_of"),
        "contributor_of": column(Type.SET, "contributor_of"),
        "manager_of": column(Type.SET, "manager_of"),
    },
)
"""`r.sub`: what every subject has."""


def with_declared(document: PolicyDocument) -> Schema:
    """The subject's schema with the attributes that a policy declares. Raises PolicyError."""
    for name in document.subject.keys() & SUBJECT.attributes.keys():
        raise PolicyError(f"`{name}` is an attribute of every subject already", "subject")
    declared = {
        name: Attribute(Type(type_), JsonPath("attributes", (name,)), nullable=True)
        for name, type_ in document.subject.items()
    }
    return Schema(SUBJECT.kind, SUBJECT.table, {**SUBJECT.attributes, **declared})
