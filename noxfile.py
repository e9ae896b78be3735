"""The one front door: ``nox -s tests``, ``long``, ``laws``, ``contract``, ``lint``, ``types``, ``bench``, ``docs``."""

from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint", "types"]
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "venv"  # pip honours the machine's mirror, certificate and find-links


def _install(session: nox.Session, *groups: str) -> None:
    session.install("-e", ".")
    for group in groups:
        session.install(*nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), group))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the whole suite."""
    _install(session, "test")
    session.run("pytest", "-n", "2", "--dist", "worksteal", *session.posargs)


@nox.session
def long(session: nox.Session) -> None:
    """Run the loops that repeat for minutes what the suite does a few times: kills, lies, failing disks."""
    _install(session, "test")
    session.run("pytest", "-n", "2", "--dist", "worksteal", "-m", "long", *session.posargs)


@nox.session
def laws(session: nox.Session) -> None:
    """Run the laws alone, with many more examples."""
    _install(session, "test")
    session.run("pytest", "-m", "law", "--hypothesis-profile=thorough", *session.posargs)


@nox.session
def contract(session: nox.Session) -> None:
    """Hold engines and parsers against recorded outputs of the real tools."""
    _install(session, "test")
    session.run("pytest", "-m", "contract", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check form and style."""
    session.install(*nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    _install(session, "types")
    session.run("mypy")
    session.run("mypy", "tests/library_use.py")


@nox.session
def facts(session: nox.Session) -> None:
    """Compile the YAML of facts into what is loaded."""
    _install(session)
    session.run("python", "-m", "envforge.facts.compile")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside uv on the same packages, and a thousand nodes; prints medians and ratios, asserts nothing."""
    _install(session, "test")
    session.run("python", "tests/bench/bench.py", *session.posargs, env={"PYTHONPATH": "tests"})
    session.run("python", "tests/bench/fleet.py", env={"PYTHONPATH": "tests"})


@nox.session
def docs(session: nox.Session) -> None:
    """Write the generated pages, then the site; a dead link is an error. ``-- serve`` shows it while you write."""
    _install(session, "docs")
    session.run("python", "docs/reference/generate.py")
    session.run("python", "docs/reference/runs/make.py")
    session.run("python", "docs/pictures/make.py")
    if "serve" in session.posargs:
        session.run("mkdocs", "serve", "-f", "docs/site/mkdocs.yml")
    else:
        session.run(
            "mkdocs", "build", "-f", "docs/site/mkdocs.yml", "-d", str(Path(session.create_tmp()).resolve() / "site")
        )
