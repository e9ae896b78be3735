"""Every verb of envforge, for programs: detect -> resolve -> plan -> lock -> provision -> verify, and `examine`.

What is a file for people is text here; what takes long takes an ``emit`` that is told the progress; nothing is printed.
A decision needs no machine but the one that is described, and no network:

>>> from envforge import verbs
>>> facts = verbs.load_facts()
>>> spec = verbs.parse_spec("torch: '>=2.8'", "vision.yaml")
>>> profile = "{driver: '535.104.05', gpus: [NVIDIA A100-SXM4-80GB], glibc: '2.28'}"
>>> cluster = verbs.read_machine(profile, "cluster.yaml", facts)
>>> choice = verbs.resolve(spec, (cluster,), facts)
>>> choice.best.build.cuda.major
12
>>> plan = verbs.make_plan(spec, choice.best, cluster, facts)
>>> plan.floor.driver <= cluster.driver.version
True

What cannot be is a value, with every way out, not an exception:

>>> conflict = verbs.resolve(verbs.parse_spec("cuda: '>=13'", "new.yaml"), (cluster,), facts)
>>> conflict.cores[0][0].owner, conflict.ways_out[0].gets.build.cuda.major
('spec', 12)

So is what the doctor finds; of a machine that is only described, too little is known to call it well:

>>> from envforge import Patient
>>> rules = verbs.load_rules()
>>> verbs.verdict(tuple(verbs.examine(Patient(machine=cluster), rules)), len(rules))
'undetermined'
"""

from envforge.detect import (
    assemble,
    find_interpreters,
    identify,
    read_machine,
    read_machines,
    take_readings,
    write_recording,
)
from envforge.doctor import examine, load_known, load_rules, probe_environment, verdict
from envforge.engines import ask, make_engine
from envforge.engines.uv import UvEngine
from envforge.exports import export
from envforge.facts import load_facts
from envforge.foreign import import_file
from envforge.lock import lock_digest, read_lock, write_lock
from envforge.plan import make_plan
from envforge.provision import (
    Engines,
    activated,
    activation,
    drift,
    list_environments,
    provision,
    read_environment,
    remove,
    rollback,
)
from envforge.resolve import check_artefacts, cover, resolve, why_not
from envforge.spec import json_schema, parse_spec, spec_digest, write_spec
from envforge.verify import verify

__all__ = [
    "Engines",
    "UvEngine",
    "activated",
    "activation",
    "ask",
    "assemble",
    "check_artefacts",
    "cover",
    "drift",
    "examine",
    "export",
    "find_interpreters",
    "identify",
    "import_file",
    "json_schema",
    "list_environments",
    "load_facts",
    "load_known",
    "load_rules",
    "lock_digest",
    "make_engine",
    "make_plan",
    "parse_spec",
    "probe_environment",
    "provision",
    "read_environment",
    "read_lock",
    "read_machine",
    "read_machines",
    "remove",
    "resolve",
    "rollback",
    "spec_digest",
    "take_readings",
    "verdict",
    "verify",
    "why_not",
    "write_lock",
    "write_recording",
    "write_spec",
]
