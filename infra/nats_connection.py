"""Connections to the broker: one per process and role, reconnecting for ever."""

from urllib.parse import urlsplit

import nats
import structlog
from nats.aio.client import Client

_log = structlog.get_logger(__name__)


async def connect(url: str, name: str) -> Client:
    """Connect with the credentials in `url`; replies arrive on the user's own inbox."""

    async def on_error(error: Exception) -> None:
        _log.warning("nats_connection_failed", error=type(error).__name__, connection=name)

    return await nats.connect(
        url,
        name=name,
        inbox_prefix=inbox_prefix(url),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
        connect_timeout=2,
        error_cb=on_error,
        pending_size=16 * 1024 * 1024,
    )


def inbox_prefix(url: str) -> str:
    """`_INBOX_<user>`: each user may listen to the replies to its own requests only."""
    user = urlsplit(url).username
    return f"_INBOX_{user}" if user else "_INBOX"
