"""What becomes of a model that a run trains: nothing, a version of the same model, or a new one."""

from enum import StrEnum

from domain.errors import Invalid
from domain.text import checked_name


class Keep(StrEnum):
    """How the result of a slot is kept."""

    NONE = "none"
    VERSION = "version"
    MODEL = "model"


def checked_new_name(slot: str, keep: Keep, name: str | None) -> str | None:
    """The name of the new model, which nothing else has. Raises Invalid, naming the slot."""
    field = f"slots.{slot}.name"
    if keep is not Keep.MODEL:
        if name is not None:
            raise Invalid("only what is kept as a new model gets a name", field=field)
        return None
    if name is None:
        raise Invalid("a new model needs a name", field=field)
    try:
        return checked_name(name)
    except Invalid as error:
        raise Invalid(error.detail, field=field) from None
