"""A program that uses envforge as a library: run by `test_library.py`, and type-checked strictly by `nox -s types`."""

from __future__ import annotations

import envforge
from envforge import Choice, Conflict, Machine, Spec, verbs


def torch_for(spec: Spec, machine: Machine) -> str:
    """Say which torch a machine would get, or the first way out."""
    outcome: Choice | Conflict = verbs.resolve(spec, (machine,), verbs.load_facts())
    if isinstance(outcome, Conflict):
        return outcome.ways_out[0].hint
    build: envforge.Build = outcome.best.build
    return f"torch {build.torch} with CUDA {build.cuda}"


def main() -> None:
    spec = verbs.parse_spec("torch: '2.8.*'", "vision.yaml")
    machine = verbs.read_machine("{driver: '580', gpus: [NVIDIA H100 80GB HBM3]}", "node.yaml", verbs.load_facts())
    print(torch_for(spec, machine))


if __name__ == "__main__":
    main()
