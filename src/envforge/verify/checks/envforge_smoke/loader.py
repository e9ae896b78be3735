"""Worker processes of a DataLoader: fork, /dev/shm, file descriptors."""

import os

from envforge_smoke.outcomes import Failed, Noted


def shm_dataloader(bench):
    """Two workers hand over 16 MiB; the sum is exact."""
    torch, rows, columns = bench.torch, 64, 65536
    measured = {"dev_shm_bytes": _free("/dev/shm")}  # noqa: S108 - the place that is examined
    numbers = torch.arange(rows * columns, dtype=torch.int32).view(rows, columns)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(numbers), batch_size=16, num_workers=2, timeout=bench.settings["timeout"]
    )
    total = sum(int(batch.to(torch.int64).sum()) for (batch,) in loader)
    count = rows * columns
    if total != count * (count - 1) // 2:
        raise Failed("E_WRONG", "the DataLoader's workers handed over other numbers", measured)
    if measured["dev_shm_bytes"] is not None and measured["dev_shm_bytes"] < bench.settings["bytes"]:
        raise Noted("W_SHM_SMALL", "%d MiB of shared memory are free" % (measured["dev_shm_bytes"] >> 20), measured)
    return measured


def _free(path):
    try:
        found = os.statvfs(path)
    except (OSError, AttributeError):
        return None
    return found.f_bavail * found.f_frsize
