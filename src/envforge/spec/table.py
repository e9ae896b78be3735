"""The keys of a spec: the one table that reads, complains, documents and makes the schema."""

from __future__ import annotations

from envforge.spec import words
from envforge.spec.profile import MEMORY, MachineForm
from envforge.spec.shapes import Count, Either, Flag, Key, Many, Pairs, Table, Text, Word

NAME = Text(
    what="a name of small letters, digits, `.`, `_`, `-`",
    examples=("vision",),
    pattern=r"^[a-z0-9][a-z0-9._-]*$",
    nearest=words.plain_name,
)
VERSIONS = Text(
    what="a PEP 440 specifier or a bare version prefix", parse=words.specifier, examples=(">=3.11,<3.14", "3.12")
)

NEEDS = Table(
    what="the hardware floor",
    keys=(
        Key(name="gpus", shape=Count(most=1024), says="At least so many GPUs."),
        Key(name="memory", shape=MEMORY, says="At least so much memory on each GPU."),
        Key(
            name="capability",
            shape=Text(
                what="a range of compute capabilities",
                parse=words.capability_range,
                examples=(">=8.0",),
                quoted='">={}"',
            ),
            says="Compute capabilities that will do.",
        ),
    ),
)
ATTESTATIONS = Table(
    what="whose attestations count",
    keys=(
        Key(
            name="conda",
            shape=Word(words=("off", "warn", "require")),
            says="What to do about a conda package that is not attested: refuse it, say so, or not look.",
            default="require",
        ),
        Key(
            name="publisher",
            shape=Text(what="who signs, a pattern of URLs", examples=("https://github.com/conda-forge/*",)),
            says="Who must have signed: the identity in the certificate; `*` at the end stands for anything.",
        ),
        Key(
            name="issuer",
            shape=Text(
                what="the URL of an issuer of identities",
                pattern=r"^https?://\S+$",
                examples=("https://token.actions.githubusercontent.com",),
            ),
            says="Who must have vouched for the publisher's identity.",
        ),
    ),
)
VARIABLE = Text(what="the name of an environment variable", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
CHECK = Text(what="the name of a check", pattern=r"^[a-z][a-z0-9_-]*$")
SOURCE = Text(what="a source of torch", parse=words.source, examples=("conda-forge", "pytorch", "pypi"))
CHANNEL = Text(what="a channel's name, URL or path", parse=words.channel, examples=("conda-forge",))
INDEX = Text(what="a wheel index's name or URL", parse=words.index, examples=("pypi",))
WHEELS_AT = Text(what="a directory or page of wheels", parse=words.directory, examples=("./wheels",))
MATCH_SPEC = Text(what="a conda match spec", parse=words.match_spec, examples=("numpy >=2",))
REQUIREMENT = Text(what="a PEP 508 requirement", parse=words.requirement, examples=("timm>=1",))
PACKAGE = Text(what="the plain name of a conda package", parse=str.lower, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
COMPANION = Text(what="the plain name of a companion", parse=words.companion, examples=("torchvision",))

SPEC = Table(
    what="the spec",
    keys=(
        Key(name="name", shape=NAME, says="Name of the environment; the stem of the file when left out."),
        Key(
            name="python", shape=VERSIONS, says="Python; any that serves when left out.", elsewhere=("requires-python",)
        ),
        Key(name="torch", shape=VERSIONS, says="torch; the newest that serves when left out.", elsewhere=("pytorch",)),
        Key(
            name="with",
            shape=Many(item=COMPANION, what="companions", unique=True),
            says="Companions of torch; their versions follow torch.",
            default=[],
            elsewhere=("companions", "extras"),
        ),
        Key(
            name="cuda",
            shape=Text(
                what="`auto`, `none`, a version or a specifier", parse=words.cuda, examples=("12.8", ">=12.6,<13")
            ),
            says="CUDA that torch is built for.",
            default="auto",
            elsewhere=("cudatoolkit", "cuda-version", "cuda_version"),
        ),
        Key(
            name="gpu",
            shape=Word(words=("required", "preferred", "none")),
            says="Whether a GPU must serve. Left out: required when `cuda` is a version, or where a GPU is.",
        ),
        Key(
            name="sources",
            shape=Many(item=SOURCE, what="sources", least=1, unique=True),
            says="Where torch may come from, in order of preference: names, channel URLs or index URLs.",
            default=["conda-forge", "pytorch", "pypi"],
        ),
        Key(
            name="channels",
            shape=Many(item=CHANNEL, what="channels", unique=True),
            says="conda channels in strict priority.",
            default=["conda-forge"],
        ),
        Key(
            name="indexes",
            shape=Many(item=INDEX, what="indexes", unique=True),
            says="Wheel indexes; the first that has a package wins.",
            default=["pypi"],
            elsewhere=("index-url", "index", "extra-index-url"),
        ),
        Key(
            name="find-links",
            shape=Many(item=WHEELS_AT, what="directories or pages of wheels", unique=True),
            says="Directories or pages of wheels; a relative path starts beside the spec.",
            default=[],
            elsewhere=("find_links",),
        ),
        Key(
            name="conda",
            shape=Many(item=MATCH_SPEC, what="match specs"),
            says="Packages from the conda channels.",
            default=[],
            elsewhere=("dependencies", "packages"),
        ),
        Key(
            name="wheels",
            shape=Many(item=REQUIREMENT, what="requirements"),
            says="Packages from the wheel indexes.",
            default=[],
            elsewhere=("pip", "requirements", "pypi-dependencies"),
        ),
        Key(
            name="toolkit",
            shape=Flag(),
            says="Whether nvcc and headers that match torch's CUDA are wanted, to build extensions.",
            default=False,
            elsewhere=("nvcc",),
        ),
        Key(
            name="link-scripts",
            shape=Many(item=PACKAGE, what="packages", unique=True),
            says="conda packages whose link scripts may run while they are installed; no other's ever do.",
            default=[],
            elsewhere=("link_scripts", "post-link"),
        ),
        Key(
            name="attestations",
            shape=ATTESTATIONS,
            says="Whose sigstore attestations conda packages must have to be locked or installed (CEP 27, CEP 50).",
        ),
        Key(name="needs", shape=NEEDS, says="Hardware floor.", elsewhere=("system-requirements",)),
        Key(
            name="targets",
            shape=Pairs(name=NAME, item=MachineForm(), what="machines"),
            says="Other machines that the lock must serve: profiles, recordings, or files of either.",
            elsewhere=("machines", "platforms"),
        ),
        Key(
            name="checks",
            shape=Either(
                options=(
                    ("text", Word(words=("quick", "standard", "deep"))),
                    ("a list", Many(item=CHECK, what="checks", least=1, unique=True)),
                )
            ),
            says="Checks that `create` and `verify` run.",
            default="quick",
        ),
        Key(
            name="variables",
            shape=Pairs(name=VARIABLE, item=Text(what="the text of a variable"), what="variables"),
            says="Environment variables, set on activation and by `run`.",
            elsewhere=("env", "environment"),
        ),
        Key(
            name="exclude-newer",
            shape=Text(what="a date or RFC 3339 time", parse=words.moment, examples=("2026-10-01",), dates=True),
            says="Use nothing that was published later.",
            elsewhere=("exclude_newer",),
        ),
    ),
)
