"""A preload of workers that stand at the same terminal: Ctrl-C is for who asks, and ends them in its own way.

A function, not SIG_IGN: the commands that a worker starts must heed an interrupt.
"""

import signal


def dask_setup(worker: object) -> None:
    """Leave interrupts unheeded in this process."""
    signal.signal(signal.SIGINT, lambda *_: None)
