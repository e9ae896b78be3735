"""Say what is wrong with a machine or an environment: rules as prose, signs as pure functions, causes first."""

from envforge.doctor.examine import examine, verdict
from envforge.doctor.known import Known
from envforge.doctor.probe import probe_environment
from envforge.doctor.rulebook import load_known, load_rules

__all__ = ["Known", "examine", "load_known", "load_rules", "probe_environment", "verdict"]
