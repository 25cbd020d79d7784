"""The renaming of a file to a name that no file has (RENAME_NOREPLACE of Linux)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import cache

_NO_REPLACE = 1
"""Flag RENAME_NOREPLACE of renameat2(2)."""
_NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
"""Error numbers of a kernel or a file system without the flag."""

_Rename = Callable[[int, bytes, int, bytes, int], int]


def rename_new(source: str | bytes, target: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None:
    """Rename a file, unless something has the new name.

    Where the system can't do this in one step, another process may create a file between the
    check and the renaming; that file is replaced.

    Args:
        source: Name of the file.
        target: New name.
        src_dir_fd: Descriptor of the folder that has the file.
        dst_dir_fd: Descriptor of the folder that gets the file.

    Raises:
        FileExistsError: Something has the new name.
        OSError: The system refuses.
    """
    number = _renameat2_error(os.fsencode(source), target, src_dir_fd, dst_dir_fd)
    if number in _NOT_OFFERED:
        _rename_checked(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
    elif number:
        raise OSError(number, os.strerror(number), os.fsdecode(target))


def _rename_checked(
    source: str | bytes, target: bytes, *, src_dir_fd: int, dst_dir_fd: int
) -> None:
    try:
        os.stat(target, dir_fd=dst_dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(target))


def _renameat2_error(source: bytes, target: bytes, *folders: int) -> int:
    """Call renameat2(2); return the error number, 0 for success, or ENOSYS without it."""
    rename, get_errno = _renameat2()
    if rename is None:
        return errno.ENOSYS
    source_folder, target_folder = folders
    is_done = rename(source_folder, source, target_folder, target, _NO_REPLACE) == 0
    return 0 if is_done else get_errno()


@cache
def _renameat2() -> tuple[_Rename | None, Callable[[], int]]:
    """Return the function of the C library, None if it has none, and that for its errors."""
    # Imported here: it takes milliseconds, and a run without a ledger does not need it.
    import ctypes  # noqa: PLC0415

    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        number, name = ctypes.c_int, ctypes.c_char_p
        function.argtypes = (number, name, number, name, ctypes.c_uint)
    return function, ctypes.get_errno
