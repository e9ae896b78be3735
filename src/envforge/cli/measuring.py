"""What verification measured of a torch build, kept as facts of this user where it differs from the facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from packaging.version import InvalidVersion, Version

from envforge.cli.overlays import facts_here, lay_over
from envforge.cli.talk import Talk
from envforge.errors import EnvforgeError
from envforge.facts import Facts
from envforge.model import Build, CheckResult, ComputeCapability, Dotted, Machine, Section, SmokeReport
from envforge.report.verify import place_text

SPOKEN_OF = frozenset({"conda-forge", "pytorch", "pypi"})
NO_CODE = frozenset({"E_ARCH", "E_ARCH_DROPPED"})


def learn(talk: Talk, section: Section, report: SmokeReport, machine: Machine) -> None:
    """Lay what was measured of a build over the facts, and say so; silent where it agrees with them.

    Nothing is learned from an inconclusive report, nor of sources that facts do not speak of.
    """
    build = section.candidate.build
    if report.verdict == "inconclusive" or build.source not in SPOKEN_OF:
        return
    facts = facts_here()
    told = next((each for each in facts.builds(build.subdir) if _key(each) == _key(build)), build)
    seen = measure(told, report, machine, facts)
    if seen == told:
        return
    source = f"torch {report.torch} in an environment of envforge, on {place_text(report)}"
    try:
        path = lay_over((replace(seen, confidence="measured"),), {"measured": source})
    except EnvforgeError as error:
        talk.warn(f"what was measured is not kept: {error.message}")
        return
    talk.say(f"measured: torch {build.torch} ({build.variant}) {_difference(told, seen)}; kept in `{path}`")


def measure(told: Build, report: SmokeReport, machine: Machine, facts: Facts) -> Build:
    """Give a build as it was measured: its CUDA, its arch lists, and where kernels ran or failed against them."""
    found = {each.check: each for each in report.results if each.check in ("build_facts", "torch_origin")}
    measured = found["build_facts"].measured if "build_facts" in found else {}
    astray = "torch_origin" in found and found["torch_origin"].outcome == "fail"
    if astray or not measured.get("cuda") or not _is_release(str(measured.get("torch")), told.torch):
        return told
    seen = replace(told, cuda=_cuda(str(measured["cuda"]), told.cuda))
    if words := measured.get("arch_list"):
        seen = replace(seen, sass=_codes(words, "sm_", told.sass), ptx=_codes(words, "compute_", told.ptx))
    ran = {each for each in _capabilities(report, machine, "pass") if not _reaches(seen, each, facts)}
    failed = {each for each in _capabilities(report, machine, "fail") if _reaches(seen, each, facts)}
    return replace(
        seen,
        ran=tuple(sorted({*told.ran, *ran} - failed)),
        failed=tuple(sorted({*told.failed, *failed} - set(_capabilities(report, machine, "pass")))),
    )


def _key(build: Build) -> tuple[object, ...]:
    return build.torch, build.variant, build.source, build.tegra


def _is_release(measured: str, release: Version) -> bool:
    try:
        return Version(measured).public == release.public
    except InvalidVersion:
        return False


def _cuda(measured: str, told: Dotted | None) -> Dotted | None:
    return told if told and str(told) == measured else Dotted(measured)


def _codes(
    words: Iterable[str], start: str, told: tuple[ComputeCapability, ...] | None
) -> tuple[ComputeCapability, ...]:
    """Read arch flags; in the order of the fact where they are the same."""
    found = tuple(sorted({ComputeCapability.parse(word) for word in words if word.startswith(start)}))
    return told if told is not None and tuple(sorted(set(told))) == found else found


def _capabilities(report: SmokeReport, machine: Machine, outcome: str) -> Iterator[ComputeCapability]:
    """Give the capabilities of the GPUs on which torch's own kernels ran, or for which the build had no code."""
    for result in report.results:
        if result.check == "int_kernels" and result.outcome == outcome == "pass":
            yield from _capability(report, machine, result)
        if result.check in ("device_init", "int_kernels") and result.outcome == outcome == "fail" and _no_code(result):
            yield from _capability(report, machine, result)


def _no_code(result: CheckResult) -> bool:
    from envforge.verify import codes

    return result.code in {codes()[name].rule or name for name in NO_CODE}


def _capability(report: SmokeReport, machine: Machine, result: CheckResult) -> Iterator[ComputeCapability]:
    """Find a device's capability: as torch said, else as all GPUs of the machine have it."""
    same = (each for each in report.results if each.device == result.device and "capability" in each.measured)
    if told := next(same, None):
        yield ComputeCapability.parse(str(told.measured["capability"]))
    elif result.device and result.device.startswith("cuda"):
        here = {gpu.compute_capability for gpu in machine.gpus or ()}
        yield from (each for each in here if each and len(here) == 1)


def _reaches(build: Build, device: ComputeCapability, facts: Facts) -> bool:
    machine_code = any(facts.executes(code, device, build.tegra, build.cuda) for code in build.sass or ())
    return machine_code or any(facts.kernels.compiles(code, device) for code in build.ptx or ())


def _difference(told: Build, seen: Build) -> str:
    """Say what was measured, where the facts said otherwise or nothing."""
    parts = [f"has CUDA {seen.cuda}, not {told.cuda}"] if seen.cuda != told.cuda else []
    for name, old, new in (("machine code", told.sass, seen.sass), ("PTX", told.ptx, seen.ptx)):
        if old != new:
            parts.append(f"has {name} for {_say(new)}, the facts said {_say(old)}")
    parts += [f"runs on {_say(seen.ran)}"] if seen.ran != told.ran else []
    parts += [f"does not run on {_say(seen.failed)}"] if seen.failed != told.failed else []
    return ", ".join(parts)


def _say(codes: tuple[ComputeCapability, ...] | None) -> str:
    return "nothing" if codes is None else " ".join(map(str, codes)) or "none"
