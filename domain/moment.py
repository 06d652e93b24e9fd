"""Points in time that people give, as the record holds them."""

from datetime import UTC, datetime

from domain.errors import Invalid


def checked_moment(time: datetime, field: str) -> str:
    """A time with a zone as ISO 8601 in UTC. Raises Invalid."""
    if time.tzinfo is None:
        raise Invalid(f"`{field}` needs a time zone", field=field)
    try:
        return time.astimezone(UTC).isoformat()
    except OverflowError:
        raise Invalid(f"`{field}` is beyond the years 1 to 9999", field=field) from None
