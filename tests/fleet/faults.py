"""What goes wrong on nodes: run by real workers, told apart by the words of the order."""

import os
import signal
import time
from pathlib import Path

from envforge.fleet import Answer, run_command


def node_work(argv, deadline_s, environ) -> Answer:
    """Leave a mark of this attempt, then do as the first word says; any other word is a command."""
    word, marks = argv[0], Path(argv[1])
    attempt = len(list(marks.parent.glob(f"{marks.name}.*"))) + 1
    Path(f"{marks}.{attempt}").write_text(str(os.getpid()))
    if word == "always-dies":
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "raises-once" and attempt == 1:
        raise OSError("transient NFS error")
    if word == "always-raises":
        raise OSError("no such mount")
    if word == "is-killed" and attempt == 1:
        time.sleep(60)
    return run_command(argv[2:], deadline_s, environ)
