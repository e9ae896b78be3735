"""A file system whose every answer fails to come: what touches it hangs in the kernel and survives SIGKILL.

``python wedge.py FOLDER`` mounts it (root and /dev/fuse are needed), prints ``ready``, and lets go when stdin closes.
"""

import ctypes
import os
import struct
import sys
import threading

INIT, LIBC = 26, ctypes.CDLL(None, use_errno=True)


def serve(device: int) -> None:
    """Shake hands, then read every request and answer none: one that was read can no longer be given up."""
    while True:
        request = os.read(device, 1 << 17)
        _, operation, unique = struct.unpack_from("<IIQ", request)
        if operation == INIT:
            body = struct.pack("<IIIIHHIIHH8I", 7, 31, 0, 0, 1, 1, 4096, 1, 1, 0, *[0] * 8)
            os.write(device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


def main(folder: str) -> None:
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    if LIBC.mount(b"wedge", folder.encode(), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    threading.Thread(target=serve, args=(device,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    LIBC.umount2(folder.encode(), 2)  # MNT_DETACH; closing the device lets go of who hangs
    os._exit(0)


main(sys.argv[1])
