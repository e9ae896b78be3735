"""Machines and specs as tests write them: profiles and specs in YAML, read into values."""

from pathlib import Path
from typing import Any

from packaging.version import Version

from envforge import wire
from envforge.facts import load_facts
from envforge.model import ABSENT, Build, Dotted, Driver, Gpu, Machine, Offer
from envforge.spec import parse_spec

CASES = Path(__file__).parent / "cases"
PROFILES = Path(__file__).parent.parent / "machines" / "profiles"
FACTS = load_facts()


def machine(name="here", **profile: Any) -> Machine:
    """Make a machine of a profile; what is not given is as it is on most Linux machines."""
    driver = profile.get("driver", ABSENT)
    if isinstance(driver, str):
        cuda = profile.get("cuda")
        driver = Driver(
            version=Dotted(driver), cuda_version=Dotted(cuda) if cuda else None, module=profile.get("module")
        )
    gpus = profile.get("gpus", ())
    if gpus is not None:
        gpus = tuple(Gpu(index=at, name=each, compute_capability=None) for at, each in enumerate(gpus))
    subdir = profile.get("subdir", "linux-64")
    glibc = profile.get("glibc", "2.39" if subdir.startswith("linux") else None)
    return Machine(
        name=name,
        subdir=subdir,
        driver=ABSENT if driver is None and "driver" in profile and not profile.get("gpus") else driver,
        gpus=gpus,
        glibc=Dotted(glibc) if glibc else ABSENT,
        platform=profile.get("platform"),
        tegra=profile.get("tegra"),
        interpreters=profile.get("interpreters", ()),
    )


def profile(stem: str) -> Machine:
    """Read one of the twelve machines of the expected outcomes."""
    return machine(stem, **wire.read_yaml((PROFILES / f"{stem}.yaml").read_text(), stem).plain)


def spec(**keys: Any):
    """Parse a spec written as keys; ``exclude_newer`` stands for ``exclude-newer``."""
    written = {"name": "test", **{key.replace("_", "-"): entry for key, entry in keys.items()}}
    return parse_spec(wire.write_yaml(written), "test.yaml")


def cases(stem: str) -> list[dict[str, Any]]:
    """Read the cases of one file."""
    return wire.read_yaml((CASES / f"{stem}.yaml").read_text(), stem, most_bytes=1 << 22, most_nodes=1 << 20).plain


def wheel(torch: str, variant: str = "", *, source="pypi", pythons=("3.11", "3.12"), **rest: Any) -> Build:
    """Make a wheel as an offer tells it: without arch lists."""
    return Build(
        torch=Version(torch),
        variant=variant,
        cuda=rest.pop("cuda", None),
        source=source,
        kind="wheel",
        subdir=rest.pop("subdir", "linux-64"),
        pythons=pythons,
        local=variant or None,
        seen=True,
        **rest,
    )


def refused(source: str, error: str = "connection refused") -> Offer:
    """Make the offer of a source that could not be asked."""
    return Offer(source=source, error=error)
