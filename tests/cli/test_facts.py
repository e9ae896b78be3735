"""`facts`: what is known, filtered."""

import pytest

from cli.calling import envelope, envforge


def builds(*words):
    return [each["build"] for each in envelope(envforge("facts", "--json", *words))["data"]["builds"]]


def test_the_overview_names_the_newest_torch_of_each_generation():
    done = envforge("facts")
    assert any(line.startswith("Hopper") for line in done.stdout.splitlines())
    newest = envelope(envforge("facts", "--json"))["data"]["newest"]
    volta = next(each for each in newest if each["architecture"]["capability"] == "7.0")
    assert volta["newest"]["build"]["cuda"].startswith("12.")


def test_a_card_and_a_driver_filter():
    found = builds("--gpu", "Tesla V100-SXM2-32GB", "--driver", "535.104.05")
    assert found
    assert not [each for each in found if each["cuda"].startswith("13")]


def test_a_capability_stands_for_a_card():
    assert builds("--gpu", "7.0") == builds("--gpu", "Tesla V100-SXM2-32GB")


def test_a_release_and_a_source_filter():
    assert {("2.14.1", "pytorch"), ("2.14.0", "pytorch")} == {
        (each["torch"], each["source"]) for each in builds("--torch", "2.14", "--source", "pytorch")
    }


@pytest.mark.parametrize("words", [("--gpu", "potato"), ("--driver", "new"), ("--torch", ">=>2")])
def test_a_filter_that_means_nothing_exits_2(words):
    assert 2 == envforge("facts", *words).returncode
