"""`envforge fleet plan`: the fewest environments that serve every node."""

from __future__ import annotations

from envforge.cli.asking import read_spec
from envforge.cli.common import Channels, FindLinks, Indexes, Offline, SpecFile, Timeout
from envforge.cli.fleet.asking import kept_of, open_fleet
from envforge.cli.fleet.gathering import STEP, gather, machines_of
from envforge.cli.fleet.joint import decide_jointly, joint_shape
from envforge.cli.fleet.shapes import answer_of, kinds_shape
from envforge.cli.fleet.way import Way, fleet_command
from envforge.cli.overlays import facts_here
from envforge.cli.plan import Refresh
from envforge.cli.talk import Answer, Talk
from envforge.fleet import Outcome


@fleet_command(
    "fleet plan",
    examples=(
        "envforge fleet plan vision.yaml --ssh node[01-16] --report fleet/",
        "envforge fleet plan vision.yaml --report fleet/",
    ),
)
def fleet_plan(
    talk: Talk,
    way: Way,
    spec: SpecFile,
    refresh: Refresh = False,
    offline: Offline = False,
    channel: Channels = None,
    index_url: Indexes = None,
    find_links: FindLinks = None,
    timeout: Timeout = None,
) -> Answer:
    """Say which environments would serve every node, the fewest; which nodes force a split; what would join them.

    With `--report` alone it decides for the nodes that `fleet detect` has kept there. Installs nothing. Exit 1 where
    nothing serves some node, 3 where a node did not tell what it is.
    """
    facts, asked = facts_here(), read_spec(spec, channels=channel, indexes=index_url, find_links=find_links)
    outcomes = look(talk, way)
    ask_all = refresh and not offline
    machines = machines_of(outcomes)
    joint = decide_jointly(talk, asked, machines, facts, ask_all=ask_all, offline=offline, timeout_s=timeout)
    answer = answer_of(
        talk, way, "plan", outcomes, spec=str(spec), kinds=kinds_shape(joint.kinds), **joint_shape(joint, facts)
    )
    return answer if joint.serves_all else Answer(data=answer.data, page=answer.page, exit=1)


def look(talk: Talk, way: Way) -> tuple[Outcome, ...]:
    """Have the nodes that are named look at themselves; with a report alone, take what is kept there."""
    kept = kept_of(way, STEP)
    if kept and not way.engines and (found := kept.all()):
        return found
    with open_fleet(talk, way) as fleet:
        return gather(fleet)
