"""Settings of the C library's allocator for a process that moves bulk data."""

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_REUSED_BYTES = 32 << 20
_KEPT_BYTES = 128 << 20


def reuse_large_buffers() -> None:
    """Keep up to 128 MB of freed memory, and take buffers of up to 32 MB from it (glibc).

    By default each buffer of a request's body is mapped anew, and the kernel clears it page by
    page: more work than receiving what goes into it.
    """
    with suppress(AttributeError, OSError):  # another C library has other ways
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _REUSED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
