"""A real Slurm on this machine: one controller, nodes that are daemons beside each other, all of it in one folder.

Nothing of the system's own Slurm or munge is read, written or stopped. Debian's build lets several `slurmd` stand on
one host; its version 22.05 wants cgroup mounts, although no plug-in here uses them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo", "squeue", "scancel")
CONF = """ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={top}/munge.socket
StateSaveLocation={top}/state
SlurmdSpoolDir={top}/spool.%n
SlurmctldPidFile={top}/slurmctld.pid
SlurmdPidFile={top}/slurmd.%n.pid
SlurmctldLogFile={top}/slurmctld.log
SlurmdLogFile={top}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,defer_batch
SlurmdParameters=config_overrides
SlurmdTimeout=6
ReturnToService=2
KillWait=1
MpiDefault=none
NodeName=node[{first}-{last}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{low}-{high}] CPUs=2 RealMemory=500
PartitionName=gpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Say why Slurm cannot be had here; None when it can."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"Slurm is not installed: no {', '.join(missing)}"
    if os.geteuid() != 0:
        return "daemons of Slurm that start jobs need root"
    if not any(Path("/sys/fs/cgroup").glob("*/cgroup.procs")):
        return "no cgroup v1 is mounted, without which this Slurm's slurmd ends"
    return None


class Slurm:
    """The daemons, and the folder that they share with jobs."""

    def __init__(self, top: Path, count: int) -> None:
        self.top, self.conf = top, top / "slurm.conf"
        self.nodes = tuple(f"node{number:03d}" for number in range(1, count + 1))

    def start(self) -> None:
        """Start everything, and wait until every node is idle."""
        self._write()
        key, sock = self.top / "munge.key", self.top / "munge.socket"
        names = ("pid-file", "log-file", "seed-file")
        places = [f"--{name}={self.top}/munge.{name}" for name in names]
        _do("munged", "--force", f"--key-file={key}", f"--socket={sock}", *places)
        _do("slurmctld")
        for node in self.nodes:
            (self.top / f"spool.{node}").mkdir()
            _do("slurmd", "-N", node)
        self._wait()

    def _write(self) -> None:
        count, ports = len(self.nodes), _free_ports(len(self.nodes) + 1)
        (self.top / "state").mkdir()
        key = self.top / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        text = CONF.format(
            top=self.top,
            host=socket.gethostname(),
            port=ports,
            first="001",
            last=f"{count:03d}",
            low=ports + 1,
            high=ports + count,
        )
        self.conf.write_text(text)
        (self.top / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while (idle := _do("sinfo", "-h", "-t", "idle", "-o", "%D").strip()) != str(len(self.nodes)):
            if time.monotonic() > end:
                raise TimeoutError(f"{idle or 'no'} nodes of {len(self.nodes)} came up; see {self.top}")
            time.sleep(0.3)

    def kill(self, node: str) -> None:
        """Take a node away as a power cut would: its daemon, and every step that runs on it."""
        tasks = _pids(f"SLURM_CONF={self.conf}", f"SLURMD_NODENAME={node}")
        daemon = int((self.top / f"slurmd.{node}.pid").read_text())
        for pid in (daemon, *filter(None, map(_stepd, tasks)), *tasks):
            _kill(pid)

    def restore(self, node: str) -> None:
        """Give a node its power back, and wait until every node is idle."""
        _do("slurmd", "-N", node)
        self._wait()

    def stop(self) -> None:
        """End everything that was started."""
        for pid in _pids(f"SLURM_CONF={self.conf}"):
            _kill(pid)


def _do(*argv: str) -> str:
    return subprocess.run(argv, check=True, text=True, capture_output=True, timeout=60).stdout


def _free_ports(count: int) -> int:
    """Give the first of ``count`` ports in a row that nobody listens at now."""
    for first in range(20000 + os.getpid() % 10000, 60000, count):
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
    raise OSError("no free ports")


def _pids(*settings: str) -> list[int]:
    """Give the processes, this one aside, that have all of these in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environ = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            if set(settings) <= set(environ) and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def _stepd(pid: int) -> int | None:
    """Give the `slurmstepd` that a task stands under."""
    while pid > 1:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        if "slurmstepd" in Path(f"/proc/{pid}/comm").read_text():
            return pid
        pid = int(fields[1])
    return None


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def slurm_here(top: Path, count: int) -> Iterator[Slurm]:
    """Run a Slurm of so many nodes; ``SLURM_CONF`` points at it meanwhile."""
    before, slurm = os.environ.get("SLURM_CONF"), Slurm(top, count)
    os.environ["SLURM_CONF"] = str(slurm.conf)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
        os.environ.pop("SLURM_CONF") if before is None else os.environ.update(SLURM_CONF=before)
