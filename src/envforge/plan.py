"""A choice -> what the engines are asked for. Pure."""

from __future__ import annotations

from envforge.model import Offer, Spec

PUBLIC = ("conda-forge",)


def wheels_alone(spec: Spec) -> bool:
    """Say whether an environment of wheels would do: nothing in the spec needs a conda package."""
    return not spec.conda and not spec.toolkit


def channel_pythons(spec: Spec, offers: tuple[Offer, ...], public: tuple[str, ...]) -> tuple[str, ...]:
    """Give the Pythons that conda channels serve for sure: as offered, else ``public`` for conda-forge."""
    asked = {offer.source for offer in offers}
    pythons = [python for offer in offers if offer.error is None for python in offer.pythons]
    trusted = any(channel in PUBLIC and channel not in asked for channel in spec.channels)
    return tuple(dict.fromkeys([*pythons, *(public if trusted else ())]))


def unasked_channels(spec: Spec, offers: tuple[Offer, ...]) -> tuple[str, ...]:
    """Give the spec's conda channels of which nothing is known: private ones that nobody asked."""
    asked = {offer.source for offer in offers}
    return tuple(channel for channel in spec.channels if channel not in asked and channel not in PUBLIC)
