"""libcuda, asked in a child: ``cuInit`` can hang, abort, and poisons every later fork."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import Any

LIBRARY = "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of cuda.h
Send = Callable[[Any], None]


def ask_libcuda(send: Send, without: tuple[str, ...] = ()) -> None:
    """Send what libcuda says, in pieces to merge; ``without`` names variables to leave out of this child's sight.

    ``cuInit.code`` is null when the library cannot be opened. ``cuDriverGetVersion`` answers before ``cuInit``.
    """
    for name in without:
        os.environ.pop(name, None)
    try:
        cuda = ctypes.CDLL(LIBRARY)
    except OSError as error:
        send({"cuInit": {"code": None, "error": str(error)}})
        return
    version = ctypes.c_int()
    if cuda.cuDriverGetVersion(ctypes.byref(version)) == 0 and version.value:
        send({"driver_cuda": f"{version.value // 1000}.{version.value % 1000 // 10}"})
    code = int(cuda.cuInit(0))
    send({"cuInit": {"code": code, "name": _name(cuda, code)}})
    send(_devices(cuda) if code == 0 else {"device_count": 0})


def _name(cuda: ctypes.CDLL, code: int) -> str:
    text = ctypes.c_char_p()
    cuda.cuGetErrorName(code, ctypes.byref(text))
    return (text.value or b"UNKNOWN").decode()


def _devices(cuda: ctypes.CDLL) -> dict[str, Any]:
    count = ctypes.c_int()
    if cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return {}
    return {"device_count": count.value, "devices": [_device(cuda, index) for index in range(count.value)]}


def _device(cuda: ctypes.CDLL, index: int) -> dict[str, Any]:
    handle, number = ctypes.c_int(), ctypes.c_int()
    name, size = ctypes.create_string_buffer(128), ctypes.c_size_t()
    cuda.cuDeviceGet(ctypes.byref(handle), index)
    cuda.cuDeviceGetName(name, len(name), handle)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(size), handle)
    capability = []
    for attribute in (MAJOR, MINOR):
        cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle)
        capability.append(str(number.value))
    return {
        "index": index,
        "name": name.value.decode("utf-8", "replace"),
        "cc": ".".join(capability),
        "memory_bytes": size.value,
    }


def join_cuda(pieces: tuple[Any, ...], bare: tuple[Any, ...] = ()) -> dict[str, Any] | None:
    """Put the pieces together; ``bare`` are those of the same probe without CUDA_VISIBLE_DEVICES."""
    whole: dict[str, Any] = {}
    for piece in pieces:
        whole |= piece
    if bare and whole:
        whole["ab_tests"] = {"without CUDA_VISIBLE_DEVICES": dict(_merged(bare))}
    return whole or None


def _merged(pieces: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for piece in pieces:
        merged |= piece
    return merged
