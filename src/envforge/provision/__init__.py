"""From a lock to an environment: claim, stage beside the prefix, marker last, one rename. No marker, no environment."""

from envforge.provision.activation import Activation, activated, activation, activation_script, modulefile
from envforge.provision.build import Engines, provision, refuse_foreign, section_digest, standing
from envforge.provision.damage import Damage, Flaw, read_damage, store_damage
from envforge.provision.deep import Caches, delete_entry, find_damaged, look_deep
from envforge.provision.disk import write_whole
from envforge.provision.drift import Change, Drift, changes, drift
from envforge.provision.installed import wheel_in
from envforge.provision.marker import read_environment, store_report
from envforge.provision.place import Place
from envforge.provision.registry import find_environment, list_environments, register
from envforge.provision.removal import CACHED, clean, delete_cache, remove, rollback
from envforge.provision.space import Room, check_room, measure_room
from envforge.provision.strangers import strangers

__all__ = [
    "CACHED",
    "Activation",
    "Caches",
    "Change",
    "Damage",
    "Drift",
    "Engines",
    "Flaw",
    "Place",
    "Room",
    "activated",
    "activation",
    "activation_script",
    "changes",
    "check_room",
    "clean",
    "delete_cache",
    "delete_entry",
    "drift",
    "find_damaged",
    "find_environment",
    "list_environments",
    "look_deep",
    "measure_room",
    "modulefile",
    "provision",
    "read_damage",
    "read_environment",
    "refuse_foreign",
    "register",
    "remove",
    "rollback",
    "section_digest",
    "standing",
    "store_damage",
    "store_report",
    "strangers",
    "wheel_in",
    "write_whole",
]
