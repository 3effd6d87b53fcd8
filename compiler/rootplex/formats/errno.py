"""The error numbers of Linux and Xen (`xen/include/public/errno.h`), by name, wherever this runs."""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    """Positive, as in the header; kernels and hypercalls return them negated."""

    EPERM = 1
    ENOENT = 2
    ESRCH = 3
    EIO = 5
    ENXIO = 6
    EBADF = 9
    EAGAIN = 11
    ENOMEM = 12
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    EXDEV = 18
    ENODEV = 19
    EINVAL = 22
    ENOSPC = 28
    ERANGE = 34
    ENOSYS = 38
    EOPNOTSUPP = 95


def name_of(result: int) -> str:
    """A hypercall's result as one says it: `0`, `-ENODEV`, or the number where it has no name."""
    if -result in Errno._value2member_map_:
        return f"-{Errno(-result).name}"
    return str(result)
