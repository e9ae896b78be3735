"""Spec, machines and facts in; a choice or a conflict out. Pure."""
