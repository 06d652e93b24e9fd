"""Frames on their way over HTTP: whole and in order, or refused."""

import pytest

from hansard.formats.frames import Frame, FrameError, Kind, pack_status
from hansard.formats.shipment import pack_frames, unpack_frames

FRAMES = [Frame(seq, Kind.STATUS, pack_status({"state": "running"})) for seq in (7, 8)]


def test_frames_arrive_as_they_were_sent() -> None:
    assert unpack_frames(pack_frames(FRAMES)) == FRAMES
    assert unpack_frames(b"") == []


@pytest.mark.parametrize(
    "data",
    [
        pack_frames(FRAMES)[:-1],
        pack_frames(FRAMES)[:2],
        pack_frames(FRAMES) + b"\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff" + bytes(9),
        b"\x04\0\0\0abcd",
        pack_frames([FRAMES[0], FRAMES[0]]),
        pack_frames(FRAMES[::-1]),
        pack_frames([FRAMES[0], Frame(9, Kind.STATUS, b"{}")]),
    ],
)
def test_a_cut_a_gap_and_a_repeat_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        unpack_frames(data)
