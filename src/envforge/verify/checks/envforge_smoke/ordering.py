"""Order on the device: graphs, streams, and errors that arrive late."""

from envforge_smoke.outcomes import Failed


def cuda_graph(bench):
    """A captured graph replays on new input."""
    torch = bench.torch
    x = torch.zeros(256, 256, device=bench.device)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            y = (x @ x) * 2 + 1
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = (x @ x) * 2 + 1
    for number in (1.0, 2.0):
        x.fill_(number)
        graph.replay()
        bench.sync()
        wrong = int((y != 2 * 256 * number * number + 1).sum())
        if wrong:
            raise Failed("E_WRONG", "%d of %d elements of a replayed graph are wrong" % (wrong, y.numel()))
    return {"replays": 2}


def streams(bench):
    """One stream waits for an event of another."""
    torch = bench.torch
    first, second = torch.cuda.Stream(), torch.cuda.Stream()
    x = torch.zeros(1 << 22, dtype=torch.int32, device=bench.device)
    bench.sync()
    with torch.cuda.stream(first):
        for _ in range(50):
            x.add_(1)
        event = torch.cuda.Event()
        event.record(first)
    with torch.cuda.stream(second):
        second.wait_event(event)
        y = x * 2
        y.record_stream(second)
    bench.sync()
    wrong = int((y != 100).sum())
    if wrong:
        raise Failed("E_WRONG", "%d elements were read before they were written" % wrong)
    return {"operations": 51}


def async_error(bench):
    """A failing assertion on the device becomes an exception; the context is lost after it."""
    torch = bench.torch
    try:
        torch._assert_async(torch.tensor(0, device=bench.device))
        bench.sync()
    except RuntimeError as error:
        return {"message": str(error).split("\n")[0][:160]}
    raise Failed("E_NO_ERROR", "a failing assertion on the device was not reported")
