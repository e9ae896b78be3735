"""Between GPUs: copies are judged by the words that arrive, never by what the driver says of peer access."""

import time

from envforge_smoke.figures import hashed
from envforge_smoke.outcomes import Failed, Noted, Skipped

SMALL_TO_LARGE = (2, 1024, 1 << 18, 1 << 24)  # words; small and large copies take different ways


def p2p_matrix(bench):
    """Every ordered pair: exact copies over a poisoned target, and the bandwidth of each."""
    torch = bench.torch
    cards = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    if len(cards) < 2:
        raise Skipped("S_ONE_DEVICE", "needs two GPUs that one process can see")
    rates, access, wrong = {}, {}, []
    sent = [hashed(torch, words, 1, "cpu").to(torch.int32) for words in SMALL_TO_LARGE]  # takes longer than copying
    for i, source in enumerate(cards):
        for j, target in enumerate(cards):
            if i == j:
                continue
            pair = "%d>%d" % (i, j)
            access[pair] = _access(torch, i, j)
            fault = _copies(torch, source, target, [words ^ (i * 31 + j) for words in sent])
            wrong += ["%s: %s" % (pair, fault)] if fault else []
            rates[pair] = _rate(torch, source, target, bench.settings["bytes"])
    measured = {"gb_per_s": rates, "peer_access": access}
    if wrong:
        raise Failed("E_P2P", "; ".join(wrong[:4]), measured)
    ordered = sorted(rates.values())
    if ordered[0] < bench.settings["fraction"] * ordered[len(ordered) // 2]:
        detail = "the slowest pair has %.1f GB/s, the median %.1f" % (ordered[0], ordered[len(ordered) // 2])
        raise Noted("W_SLOW_PAIR", detail, measured)
    return measured


def _access(torch, i, j):
    try:
        return bool(torch.cuda.can_device_access_peer(j, i))
    except Exception:
        return None


def _both(torch, source, target):
    torch.cuda.synchronize(source)
    torch.cuda.synchronize(target)


def _copies(torch, source, target, sent):
    """A sentence about the first wrong copy, None when all are right."""
    for host in sent:
        words = host.numel()
        there = host.to(source)
        landing = torch.full((words,), -1, dtype=torch.int32, device=target)
        _both(torch, source, target)
        landing.copy_(there)
        _both(torch, source, target)
        back = landing.cpu()
        count = int((back != host).sum())
        if count:
            how = "the target is unchanged" if bool((back == -1).all()) else "wrong words"
            return "%d of %d words (%s)" % (count, words, how)
    return None


def _rate(torch, source, target, count):
    """The best of five: a busy host holds copies up now and then, a slow link each time."""
    a = torch.empty(count, dtype=torch.uint8, device=source)
    b = torch.empty(count, dtype=torch.uint8, device=target)
    b.copy_(a)
    return round(8 * count / min(_eight_copies_s(torch, a, b) for _ in range(5)) / 1e9, 1)


def _eight_copies_s(torch, a, b):
    _both(torch, a.device, b.device)
    began = time.perf_counter()
    for _ in range(8):
        b.copy_(a)
    _both(torch, a.device, b.device)
    return time.perf_counter() - began
