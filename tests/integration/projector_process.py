"""A projector as a process of its own, to be killed: `python -m`, told what to do by LAB_*."""

import os

from infra.database import connect
from infra.event_log.layout import Layout
from projections.projector import events_follower


def main() -> None:
    """Fold in small batches until killed."""
    layout = Layout(os.environ["LAB_STREAM"], os.environ["LAB_PREFIX"])
    with connect(os.environ["LAB_POSTGRES"], os.environ["LAB_SCHEMA"]) as connection:
        follower = events_follower(connection, os.environ["LAB_NATS"], layout)
        while True:
            follower.step(limit=7)


if __name__ == "__main__":
    main()
