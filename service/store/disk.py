"""What the standard library lacks for the disk."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_START = 2  # SYNC_FILE_RANGE_WRITE


def start_writing(descriptor: int, offset: int, length: int) -> None:
    """Let the disk begin with these bytes, so that a flush has less to wait for: sync_file_range(2). No promise of anything."""
    _LIBC.sync_file_range(descriptor, ctypes.c_int64(offset), ctypes.c_int64(length), _START)


def sync(path: Path) -> None:
    """Make a file's content durable, or what stands in a folder: fsync(2).

    Raises:
        OSError: when it could not be written, or is not there.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(descriptor: int) -> None:
    """Make everything durable on the file system of an open file or folder: syncfs(2).

    What could not be written meanwhile is told to a descriptor that was open when it happened, for certain; to a new one only
    if nobody else was told.

    Raises:
        OSError: when something could not be written.
    """
    if _LIBC.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
