"""Spec, machines and facts in; a choice or a conflict out. Pure."""

from envforge.resolve.decide import resolve

__all__ = ["resolve"]
