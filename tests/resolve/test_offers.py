"""What sources really offer: it replaces the facts of that source, is filled in by them, and an error forbids it."""

from dataclasses import replace

from packaging.version import Version

from envforge.model import Build, Choice, Conflict, Dotted, Interpreter, Offer
from envforge.resolve import resolve
from envforge.resolve.candidates import builds
from resolve.worlds import FACTS, machine, refused, spec, wheel

A100 = machine(driver="580.65.06", gpus=["NVIDIA A100-SXM4-80GB"])
MIRROR = "https://mirror.example/simple"


def conda(torch, variant, **rest):
    return Build(
        torch=Version(torch),
        variant=variant,
        cuda=Dotted(f"{variant[4:6]}.{variant[6:]}") if variant != "cpu" else None,
        source="file:///srv/channel",
        kind="conda",
        subdir="linux-64",
        pythons=("3.12",),
        seen=True,
        **rest,
    )


def enriched(build):
    return next(each for each in builds("linux-64", FACTS, (Offer(source=build.source, builds=(build,)),)) if each.seen)


def test_a_wheel_without_a_label_is_what_pypi_serves_of_that_release():
    found = enriched(wheel("2.13.0", source=MIRROR))
    twin = next(each for each in FACTS.builds("linux-64") if each.source == "pypi" and str(each.torch) == "2.13.0")
    assert (twin.variant, twin.cuda, twin.sass) == (found.variant, found.cuda, found.sass)


def test_a_label_names_the_variant():
    assert "cu126" == enriched(wheel("2.13.0", "cu126", source=MIRROR)).variant
    assert Dotted("12.6") == enriched(wheel("2.13.0", "cu126", source=MIRROR)).cuda
    assert () == enriched(wheel("2.13.0", "cpu", source=MIRROR)).sass


def test_a_conda_build_is_filled_in_by_conda_forge_s():
    found = enriched(conda("2.13.0", "cuda129"))
    assert FACTS.executes(found.sass[0], found.sass[0])
    assert Dotted("2.28") == found.glibc


def test_a_release_that_facts_do_not_know_stays_unknown():
    assert (None, None) == (enriched(wheel("2.99.0")).sass, enriched(wheel("2.99.0")).cuda)


def test_an_unknown_release_ranks_below_every_known_one():
    offer = Offer(source="pypi", builds=(wheel("2.99.0"), wheel("2.10.0")))
    outcome = resolve(spec(sources=["pypi"]), (A100,), FACTS, (offer,))
    assert "2.10.0" == str(outcome.best.build.torch)


def test_an_unknown_release_alone_is_chosen_with_what_is_unknown_said():
    offer = Offer(source="pypi", builds=(wheel("2.99.0"),))
    outcome = resolve(spec(sources=["pypi"]), (A100,), FACTS, (offer,))
    assert "2.99.0" == str(outcome.best.build.torch)
    assert {"unknown-driver-floor", "unknown-gpu", "unknown-kernels"} <= {each.code for each in outcome.warnings}


def test_an_answer_replaces_the_facts_of_that_source():
    offer = Offer(source="pytorch", builds=(wheel("2.9.1", "cu126", source="pytorch"),))
    outcome = resolve(spec(sources=["pytorch"]), (A100,), FACTS, (offer,))
    assert ("2.9.1", "cu126") == (str(outcome.best.build.torch), outcome.best.build.variant)


def test_a_pre_release_comes_last():
    offer = Offer(source="pypi", builds=(wheel("2.14.0rc1"), wheel("2.8.0")))
    outcome = resolve(spec(sources=["pypi"], torch=">=2.5"), (A100,), FACTS, (offer,))
    assert "2.8.0" == str(outcome.best.build.torch)


def test_a_source_out_of_reach_is_said_and_the_next_one_taken():
    outcome = resolve(spec(), (A100,), FACTS, (refused("pytorch"), refused("conda-forge")))
    assert isinstance(outcome, Conflict) or outcome.best.build.source == "pypi"
    assert "source-unreachable" in {each.code for each in outcome.warnings}


def test_a_source_by_a_name_that_nobody_has_may_have_been_meant_for_another():
    found = [
        next(each.text for each in resolve(spec(sources=[name]), (A100,), FACTS, (refused(name),)).warnings)
        for name in ("pytorhc", "company")
    ]
    assert [True, False] == [text.endswith("; did you mean `pytorch`?") for text in found]


def test_what_nobody_knows_as_a_companion_is_said():
    texts = {
        name: [each.text for each in resolve(spec(**{"with": [name], **more}), (A100,), FACTS).warnings]
        for name, more in {"torchvison": {}, "numpy": {}, "vllm": {"torch": "2.10", "sources": ["pypi"]}}.items()
    }
    known = "no companion of torch is known as"
    assert f"{known} `torchvison`: did you mean `torchvision`?" in texts["torchvison"]
    assert any(text.startswith(f"{known} `numpy`: only conda's metadata") for text in texts["numpy"])
    assert [] == [text for text in texts["vllm"] if text.startswith(known)]
    assert any(text.startswith("not checked: whether there is a vllm for torch") for text in texts["vllm"])


def test_no_source_in_reach_is_a_conflict_whose_way_out_is_to_reach_one():
    here = replace(A100, interpreters=(Interpreter(path="/usr/bin/python3.12", version=Dotted("3.12.3")),))
    outcome = resolve(spec(sources=["pytorch"], channels=[]), (here,), FACTS, (refused("pytorch"),))
    assert isinstance(outcome, Conflict)
    assert ["sources"] in [[each.rule for each in way.gives_up] for way in outcome.ways_out]
    assert ["source"] in [[each.rule for each in way.gives_up] for way in outcome.ways_out]
    assert any("make `pytorch` reachable" in way.hint for way in outcome.ways_out)


def test_without_a_channel_wheels_stand_on_a_python_at_hand():
    at_hand = (Interpreter(path="/usr/bin/python3.11", version=Dotted("3.11.7")),)
    outcome = resolve(
        spec(sources=["pytorch"]), (replace(A100, interpreters=at_hand),), FACTS, (refused("conda-forge"),)
    )
    assert "3.11" == outcome.best.python


def test_without_a_channel_or_a_python_nothing_can_stand():
    outcome = resolve(spec(sources=["pytorch"]), (A100,), FACTS, (refused("conda-forge"),))
    assert isinstance(outcome, Conflict)
    assert [["interpreter"]] == [[each.rule for each in core] for core in outcome.cores]


def test_nobody_looked_for_pythons_is_unknown_not_none():
    outcome = resolve(spec(sources=["pytorch"]), (replace(A100, interpreters=None),), FACTS, (refused("conda-forge"),))
    assert isinstance(outcome, Choice)
    assert "unknown-interpreter" in {each.code for each in outcome.warnings}


def test_a_channel_s_own_pythons_are_what_it_says():
    offer = Offer(source="conda-forge", builds=(), pythons=("3.10", "3.11"))
    outcome = resolve(spec(sources=["pytorch"]), (A100,), FACTS, (offer,))
    assert "3.11" == outcome.best.python
