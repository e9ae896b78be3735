"""What stands in a prefix against its lock."""

from envforge.provision import Drift, drift
from tiny import HERE, SITE, package, section, wheel


def test_a_fresh_environment_is_clean(make):
    assert drift(make()).clean


def test_a_conda_package_that_went_or_came_is_named(make, envs):
    made = make()
    (envs / "demo/conda-meta/numpy-2.4.6-0.json").rename(envs / "demo/conda-meta/numpy-1.26.4-py311_0.json")
    assert Drift(missing=("numpy 2.4.6 0",), added=("numpy 1.26.4 py311_0",)) == drift(made)


def test_a_wheel_that_went_or_came_is_named(make, envs):
    made = make(section(wheel("einops"), interpreter=HERE))
    (envs / "demo" / SITE / "einops-1.0.dist-info").rename(envs / "demo" / SITE / "einops-2.0.dist-info")
    assert Drift(missing=("einops 1.0",), added=("einops 2.0",)) == drift(made)


def test_a_wheel_beside_conda_packages_that_a_user_added_is_named(make, envs):
    made = make(section(package("python", "3.11.7"), wheel("einops")))
    (envs / "demo" / SITE / "requests-2.0.dist-info").mkdir()
    assert Drift(added=("requests 2.0",)) == drift(made)


def test_names_with_dashes_are_understood(make):
    assert drift(
        make(section(package("python", "3.11.7"), package("ca-certificates", "2026.1"), wheel("typing-extensions")))
    ).clean
