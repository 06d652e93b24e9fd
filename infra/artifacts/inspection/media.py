"""Sound, film and PDF: the head is what the format says, and what it tells of the length."""

from infra.artifacts.inspection.source import Refused, Source

_MP3_KBITS = {  # by version (MPEG 1 or not): layer III only
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_SYNCHSAFE = (21, 14, 7, 0)
_OGG_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ", b"\x80theora", b"\x01video")
_MAX_BOXES = 256
_PDF_END_BYTES = 2048
_UNSTATED = (0, 0xFFFFFFFF)


def wav(source: Source) -> str:
    """Raises Refused unless it begins with a chunk and is not longer than the file."""
    head = source.head
    stated = int.from_bytes(head[4:8], "little")
    if not head[12:16].strip().isalnum() or len(head) < 28:
        raise _damaged("wav")
    if stated not in _UNSTATED and 8 + stated > source.size:
        raise _damaged("wav")
    return "wav"


def flac(source: Source) -> str:
    """Raises Refused unless the description of the stream comes first."""
    if source.head[4:8] not in (b"\0\0\0\x22", b"\x80\0\0\x22"):
        raise _damaged("flac")
    return "flac"


def ogg(source: Source) -> str:
    """Raises Refused unless the first page begins a stream of a known codec."""
    head = source.head
    segments = head[26] if len(head) > 27 else 0
    if head[4:6] != b"\0\x02" or not head[27 + segments :].startswith(_OGG_CODECS):
        raise _damaged("ogg")
    return "ogg"


def mp3(source: Source) -> str:
    """Raises Refused unless two frames follow each other, after the tag if there is one."""
    head = source.head
    at = 0
    if head.startswith(b"ID3"):
        at = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:10], _SYNCHSAFE, strict=False)
        )
        if head[3:4] > b"\x04" or at > source.size:
            raise _damaged("mp3")
    length = _mp3_frame(source.peek(at, 4))
    following = source.peek(at + length, 4) if length else b""
    if not length or (following and not _mp3_frame(following) and following[:3] != b"TAG"):
        raise _damaged("mp3")
    return "mp3"


def _mp3_frame(header: bytes) -> int:
    """Bytes of the frame that this header begins; 0 if it begins none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    first = version == 3
    samples = 144_000 if first else 72_000
    return samples * _MP3_KBITS[first][bitrate - 1] // _MP3_RATES[version][rate] + (
        header[2] >> 1 & 1
    )


def mp4(source: Source) -> str:
    """Raises Refused unless the boxes tile the file."""
    if not source.seekable:
        return "mp4"
    at = 0
    for _ in range(_MAX_BOXES):
        if at == source.size:
            return "mp4"
        box = source.peek(at, 16)
        size = int.from_bytes(box[:4], "big")
        if size == 1:
            size = int.from_bytes(box[8:16], "big")
        elif size == 0:
            size = source.size - at
        if size < 8 or not box[4:8].isascii() or at + size > source.size:
            raise _damaged("mp4")
        at += size
    return "mp4"


def pdf(source: Source) -> str:
    """Raises Refused unless the mark of the end is near the end."""
    if source.seekable:
        last = min(_PDF_END_BYTES, source.size)
        if b"%%EOF" not in source.read(source.size - last, last):
            raise _damaged("pdf")
    return "pdf"


def _damaged(format_: str) -> Refused:
    return Refused(f"it begins like {format_} and is not a whole one: export it again", format_)
