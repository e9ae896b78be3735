"""Many machines: one question to every node, and an outcome for each, on an engine that exists.

`pool` is the seam (three verbs), `task` what a node runs, `sweep` what asks all of them within a deadline, `kept` the
answers on disk; `dask_pool` puts the seam on Dask distributed. Nothing but the adapters imports an engine.
"""

from envforge.fleet.kept import Kept, Outcome, State
from envforge.fleet.pool import Asked, NodeLost, NodePool
from envforge.fleet.sweep import judged, sweep
from envforge.fleet.task import Answer, Order, run_command

__all__ = [
    "Answer",
    "Asked",
    "Kept",
    "NodeLost",
    "NodePool",
    "Order",
    "Outcome",
    "State",
    "judged",
    "run_command",
    "sweep",
]
