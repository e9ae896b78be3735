"""Patterns written to device memory and read back."""

import time

from envforge_smoke.outcomes import Failed, Skipped

CONSTANTS = (-6148914691236517206, 6148914691236517205)  # AA.. and 55.. in every byte
ODD = 0x9E3779B97F4A7C1


def memory_pattern(bench):
    """A part of memory: the smaller of a size and a share of what is free."""
    return _patterns(bench, min(bench.settings["bytes"], int(bench.free_bytes() * bench.settings["share"])))


def memory_full(bench):
    """Nearly all of memory, when nobody else uses the card."""
    free, whole = bench.free_bytes(), bench.properties.total_memory
    if free < bench.settings["free"] * whole:
        raise Skipped("S_BUSY", "%d of %d MiB are free" % (free >> 20, whole >> 20))
    return _patterns(bench, int(free * bench.settings["share"]))


def _patterns(bench, target):
    """Two constants, then every word from its own address, then its inverse: stuck bits and crossed addresses show."""
    torch, began = bench.torch, time.perf_counter()
    blocks = _blocks(bench, target)
    words = sum(block.numel() for block in blocks)
    wrong = torch.zeros((), dtype=torch.int64, device=bench.device)
    for number in range(4):
        for reading in (False, True):
            first = 0
            for block in blocks:
                wanted = _pattern(torch, block, number, first)
                if reading:
                    wrong += (block != wanted).sum()
                elif number < len(CONSTANTS):
                    block.fill_(wanted)
                else:
                    block.copy_(wanted)
                first += block.numel()
            bench.sync()
    measured = {"bytes": words * 8, "passes": 4, "seconds": round(time.perf_counter() - began, 2)}
    if int(wrong):
        raise Failed("E_MEMORY", "%d of %d words read back wrong" % (int(wrong), words * 4), measured)
    if bench.kind == "cuda":
        del blocks
        torch.cuda.empty_cache()
    return measured


def _pattern(torch, block, number, first):
    if number < len(CONSTANTS):
        return CONSTANTS[number]
    words = torch.arange(first, first + block.numel(), dtype=torch.int64, device=block.device) * ODD
    return words.bitwise_not_() if number == 3 else words


def _blocks(bench, target):
    """Allocate in pieces until the target or the memory is reached; the last pieces leave room for the comparison."""
    torch, found, left = bench.torch, [], target // 8
    most = bench.settings["block_bytes"] // 8
    while left > 0:
        try:
            found.append(torch.empty(min(most, left), dtype=torch.int64, device=bench.device))
        except RuntimeError as error:
            if "out of memory" not in str(error) or len(found) < 4:
                raise
            del found[-3:]
            break
        left -= found[-1].numel()
    return found
