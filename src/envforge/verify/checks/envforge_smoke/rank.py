"""One rank of the collective check, a process of its own."""

import datetime
import json
import os
import sys
import time


def main(order):
    """Join, reduce, gather, time; print one line of JSON and leave without the teardown that may hang."""
    sys.path.extend(part for part in order["path"] if part not in sys.path)
    out = os.dup(1)
    os.dup2(2, 1)
    os.write(out, (json.dumps(_work(order)) + "\n").encode())
    os._exit(0)


def _work(order):
    import torch
    import torch.distributed as dist

    rank, world, cuda = order["rank"], order["world"], order["backend"] == "nccl"
    device = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    began = time.perf_counter()
    limit = datetime.timedelta(seconds=order["seconds"])
    store = dist.FileStore(order["store"], world)
    dist.init_process_group(order["backend"], store=store, rank=rank, world_size=world, timeout=limit)
    found = {"rank": rank, "wrong": _wrong(torch, dist, order, device), "bus_gb_per_s": {}}
    found["setup_s"] = round(time.perf_counter() - began, 2)
    for count in order["bandwidth"] if world > 1 else ():
        found["bus_gb_per_s"][str(count)] = _bus(torch, dist, device, count, world)
    if cuda:
        found["nccl"] = _nccl(torch.cuda.nccl.version())
    _wait_for_all(store, rank, world, limit)
    return found


def _nccl(version):
    """A triple, before torch 1.10 one number: 2708 is 2.7.8."""
    return ".".join(str(part) for part in version) if isinstance(version, tuple) else str(version)


def _wait_for_all(store, rank, world, limit):
    """A rank that leaves takes along memory which its peers may still read."""
    store.set("envforge-done-%d" % rank, "1")
    store.wait(["envforge-done-%d" % each for each in range(world)], limit)


def _part(torch, rank, world, count):
    """What a rank contributes: sums over all ranks stay within 256, exact in every type."""
    return (torch.arange(count, dtype=torch.int64) * 7 + rank * 13) % max(2, 256 // world)


def _wrong(torch, dist, order, device):
    rank, world, cuda = order["rank"], order["world"], order["backend"] == "nccl"
    count = 1 << 20 if cuda else 1 << 16
    exact = sum(_part(torch, each, world, count) for each in range(world))
    types = [torch.int32, torch.float32] + ([torch.float16] if cuda else [])
    types += [torch.bfloat16] if cuda and order["bf16"] else []
    wrong = {}
    for dtype in types:
        mine = _part(torch, rank, world, count).to(device, dtype)
        try:
            dist.all_reduce(mine)
        except (RuntimeError, TypeError) as error:
            if "not supported" not in str(error):  # a type that this NCCL, or torch before 1.11, does not have
                raise
            wrong[str(dtype)] = None
            continue
        wrong[str(dtype)] = int((mine.cpu().to(torch.int64) != exact).sum())
    parts = [torch.empty(count, dtype=torch.int32, device=device) for _ in range(world)]
    dist.all_gather(parts, _part(torch, rank, world, count).to(device, torch.int32))
    pairs = [(parts[each].cpu().to(torch.int64), _part(torch, each, world, count)) for each in range(world)]
    wrong["all_gather"] = sum(int((got != want).sum()) for got, want in pairs)
    return wrong


def _bus(torch, dist, device, count, world):
    numbers = torch.zeros(count // 4, device=device)
    for _ in range(3):
        dist.all_reduce(numbers)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(10):
        dist.all_reduce(numbers)
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - began) / 10
    return round(count / seconds * 2 * (world - 1) / world / 1e9, 1)
