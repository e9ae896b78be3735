"""What every command is made of: shared flags, `Talk`, `Answer`, and the `command` wrapper.

A command is a function whose first parameter is its `Talk`, whose other parameters are annotated with the
types of `options`, and which gives an `Answer` (or a bare exit code, as ``run`` does). `command` adds the
output flags (``--json -q -v --color --no-progress``), writes the answer, and turns every exception into the
right words and exit code::

    @command(examples=("envforge schema > envforge.schema.json",))
    def schema(talk: Talk) -> Answer:
        \"\"\"Print the JSON Schema of specs.\"\"\"
"""

from __future__ import annotations

import errno
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, get_type_hints

from envforge.cli.options import (
    Channels,
    Color,
    ColorWhen,
    DryRun,
    Engine,
    EngineName,
    FindLinks,
    Frozen,
    GitHub,
    GivenName,
    GivenPrefix,
    Indexes,
    Json,
    Junit,
    Locked,
    Machines,
    MaybeEnvironment,
    MaybeSpecFile,
    Name,
    NoProgress,
    NoVerify,
    Offline,
    OtherMachines,
    Overwrite,
    Prefix,
    Quiet,
    SpecFile,
    SpecFiles,
    Target,
    Timeout,
    Verbose,
    Yes,
)
from envforge.cli.talk import Answer, Talk, give
from envforge.errors import DiskFailed, EnvforgeError, UsageError

__all__ = [
    "Answer",
    "Channels",
    "Color",
    "DryRun",
    "Engine",
    "EngineName",
    "FindLinks",
    "Frozen",
    "GitHub",
    "GivenName",
    "GivenPrefix",
    "Indexes",
    "Junit",
    "Locked",
    "Machines",
    "MaybeEnvironment",
    "MaybeSpecFile",
    "Name",
    "NoVerify",
    "Offline",
    "OtherMachines",
    "Overwrite",
    "Prefix",
    "SpecFile",
    "SpecFiles",
    "Talk",
    "Target",
    "Timeout",
    "Yes",
    "command",
]

INTERRUPTED = 130
REFUSED = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ESTALE, errno.EMFILE}
Work = Callable[..., Answer | int]


def command(*, examples: Sequence[str] = (), name: str | None = None) -> Callable[[Work], Callable[..., int]]:
    """Make a command of a function: see the module's docstring. ``examples`` close its help.

    ``name`` is what the envelope calls it, where that is not the function's own (`facts verify`).
    """

    def make(work: Work) -> Callable[..., int]:
        own = name or work.__name__.rstrip("_").replace("_", "-")

        @wraps(work)
        def run(**given: Any) -> int:
            talk = _talk(own, given)
            return guarded(talk, lambda: work(talk, **given))

        _show_flags(run, work)
        run.__doc__ = _with_examples(inspect.getdoc(work) or "", examples)
        return run

    return make


def guarded(talk: Talk, work: Callable[[], Answer | int]) -> int:
    """Do the work and report whatever happens; give the exit code. Nothing escapes."""
    try:
        answer = work()
        return answer if isinstance(answer, int) else give(talk, answer)
    except EnvforgeError as error:
        return talk.fail(error)
    except KeyboardInterrupt:
        return talk.fail(Interrupted("interrupted"))
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:
        return talk.fail(_disk(error) or _homeless(error) or _bug(error))


def _disk(error: Exception) -> EnvforgeError | None:
    """Say what a disk refused, wherever that was; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in REFUSED:
        return None
    return DiskFailed(f"the disk refused: {error.strerror}", (str(error.filename),) if error.filename else ())


def _homeless(error: Exception) -> EnvforgeError | None:
    """Say that a user whom the system does not know has no home without ``HOME``; None for any other error."""
    if not isinstance(error, RuntimeError) or "home directory" not in str(error):
        return None
    return UsageError("this user has no home directory", (), ("set `HOME` to a folder that you may write to",))


def _bug(error: Exception) -> EnvforgeError:
    from envforge.cli.bug import report_bug

    return report_bug(error, sys.argv[1:])


class Interrupted(EnvforgeError):
    """Ctrl-C; the envelope and the exit code say so."""

    code, exit = "interrupted", INTERRUPTED


def _talk(name: str, given: dict[str, Any]) -> Talk:
    """Take the output flags out of what was given."""
    return Talk(
        command=name,
        json=given.pop("json"),
        quiet=given.pop("quiet"),
        verbose=given.pop("verbose"),
        color=given.pop("color").value,
        progress=not given.pop("no_progress"),
    )


def _output_flags(
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    color: ColorWhen = Color.AUTO,
    no_progress: NoProgress = False,
) -> None:
    """Carry the signature of the output flags."""


def _show_flags(run: Callable[..., int], work: Work) -> None:
    """Give ``run`` the signature that typer reads: the work's without its talk, then the output flags."""
    own = list(inspect.signature(work).parameters.values())[1:]
    shared = list(inspect.signature(_output_flags).parameters.values())
    hints = get_type_hints(work, include_extras=True) | get_type_hints(_output_flags, include_extras=True)
    listed = [each.replace(annotation=hints[each.name], kind=each.KEYWORD_ONLY) for each in own + shared]
    run.__signature__ = inspect.Signature(listed, return_annotation=int)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in listed} | {"return": int}
    del run.__wrapped__  # type: ignore[attr-defined]


def _with_examples(text: str, examples: Sequence[str]) -> str:
    """Append the examples so that the help formatter keeps their lines."""
    return text + ("\n\nExamples:\n\n\b\n" + "\n".join(f"  {each}" for each in examples) if examples else "")


def _closed_pipe() -> int:
    """Leave quietly when the reader of stdout has gone, as ``head`` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
