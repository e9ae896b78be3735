"""YAML text -> Spec, and back; pure."""

from envforge.spec.parse import parse_spec
from envforge.spec.profile import is_recording, read_profile
from envforge.spec.schema import json_schema
from envforge.spec.write import is_digest_of, spec_digest, write_spec

__all__ = ["is_digest_of", "is_recording", "json_schema", "parse_spec", "read_profile", "spec_digest", "write_spec"]
