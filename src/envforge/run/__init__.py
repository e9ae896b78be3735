"""The one way to start a program or a child: argv in, `Completed` out, a deadline always.

A child that hangs in the kernel (state D) is left behind, never waited for without end. `whole` is the one way to write
a file that others read.
"""

from envforge.run.child import Child, Told, in_child
from envforge.run.ground import lack, nearest
from envforge.run.links import copies
from envforge.run.program import Completed, run
from envforge.run.whole import whole
from envforge.run.worker import Worker

__all__ = ["Child", "Completed", "Told", "Worker", "copies", "in_child", "lack", "nearest", "run", "whole"]
