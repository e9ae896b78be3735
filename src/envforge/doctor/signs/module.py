"""The kernel module: built, allowed, signed, loaded, and holding the card?"""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart, Missing
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

OTHER_DRIVERS = ("nouveau", "nova", "nova_core", "nvidiafb", "rivafb")
RESERVED = ("vfio-pci", "pci-stub", "xen-pciback")


def unloaded(p: Chart) -> bool:
    """Tell whether a card is here whose module should be loaded and is not."""
    if not r.bare_linux(p) or not r.gpus_on_bus(p) or "nvidia" in r.loaded_modules(p):
        return False
    return not r.bound(p)


def fits_kernel(p: Chart) -> bool | None:
    """Tell whether the module on disk is for the running kernel; None when either is not known."""
    disk = r.module_on_disk(p)
    kernels = (disk or {}).get("for_kernels")
    release = p.maybe("kernel", "release")
    if disk is None or kernels is None or release is None:
        return None
    return release in kernels


@sign("gsp-firmware-file-missing")
def file_is_absent(p: Chart) -> Evidence | None:
    for path, item in p.leaves:
        if "gsp_" in path + str(item) and re.search(r"absent|missing|^(None|False)$|not found", f"{path} {item}"):
            return r.likely(f"{path}: {item}")
    p.need("firmware")
    return None


@sign("rminitadapter-failed")
def bound_and_not_listed(p: Chart) -> Evidence | None:
    if r.is_wsl(p) or not r.bound(p) or r.nvml_code(p) != 0 or r.devices(p):
        return None
    if r.in_container(p) and p.maybe("dev_nodes") is None:
        raise Missing("dev_nodes")
    if p.maybe("dev_nodes") and (r.refused(p, "EACCES") or r.refused(p, "EPERM")):
        return None
    if p.maybe("env") and r.in_job(p) and not r.given_gpus(p):
        return None
    line = f"NVML lists no device; {r.label(r.bound(p)[0])} is bound to nvidia"
    told = p.said("RmInitAdapter failed|WPR2 already up") if p.maybe("dmesg") else None
    return (r.likely if told else r.possible)(line, told or "")


@sign("gpu-excluded-or-drained")
def setting_excludes(p: Chart) -> Evidence | None:
    note = p.noted(r"excluded|drain", like=r"[1-9a-f:]|drain|true")
    p.need("module_params") if note is None else None
    severity = "advisory" if r.serves(p) else None
    return r.certain(note, setting=note, severity=severity) if note else None


@sign("nouveau-owns-gpu")
def driver_link(p: Chart) -> Evidence | None:
    held = [row for row in r.gpus_on_bus(p) if str(row.get("driver")) in OTHER_DRIVERS]
    if not held or r.bound(p) or p.maybe("nvml", "init", "code") == 0:
        return None
    never = p.maybe("modules", "on_disk", default="unread") is None and not p.maybe("libraries")
    return r.certain(
        f"{r.label(held[0])}: driver {held[0]['driver']}",
        gpu=r.label(held[0]),
        owner=held[0]["driver"],
        severity="advisory" if never else None,
    )


REFUSED = re.compile(r"No such device|Key was rejected|Required key|'off'|not found|Invalid argument|Exec format")


@sign("nvidia-module-not-loaded")
def only_not_loaded(p: Chart) -> Evidence | None:
    """An error of modprobe means that loading was tried: other rules read it."""
    if not unloaded(p) or fits_kernel(p) is False or r.module_on_disk(p) is None:
        return None
    if REFUSED.search(str(p.maybe("modules", "modprobe_error"))) or any(row.get("driver") for row in r.gpus_on_bus(p)):
        return None
    if fits_kernel(p) is None:
        raise Missing("modules.on_disk.for_kernels")
    if any("driver" not in row for row in r.gpus_on_bus(p)) and r.loaded_modules(p) & set(OTHER_DRIVERS):
        raise Missing("pci.driver")
    if p.maybe("kernel", "secure_boot") and not _accepted(p):
        raise Missing("modules.modprobe_error")
    return r.likely(f"nvidia {(r.module_on_disk(p) or {}).get('version')} is on disk and not in /proc/modules")


def _accepted(p: Chart) -> bool:
    """Tell whether the module's signer is known to be one that Secure Boot lets in."""
    signer, enrolled = str((r.module_on_disk(p) or {}).get("signer") or ""), p.maybe("modules", "mok_enrolled") or ()
    return bool(signer) and any(signer in str(key) for key in enrolled)


@sign("module-not-built-for-kernel")
def other_kernels_only(p: Chart) -> Evidence | None:
    if not unloaded(p) or fits_kernel(p) is not False:
        return None
    others = [str(each) for each in (r.module_on_disk(p) or {}).get("for_kernels", ())]
    return r.certain(
        f"no nvidia.ko for {p.maybe('kernel', 'release')}",
        *(str(row) for row in p.maybe("modules", "dkms_status") or ()),
        others=", ".join(others) or None,
    )


@sign("module-not-built-for-kernel")
def libraries_without_module(p: Chart) -> Evidence | None:
    """The user-space half of a driver is installed and no module exists at all."""
    if not unloaded(p) or r.module_on_disk(p) is not None or not r.library_version(p, "libcuda.so.1"):
        return None
    return r.likely(f"{r.library(p, 'libcuda.so.1')} is installed, no nvidia.ko is")


@sign("dkms-build-failed")
def build_log_ends_in_error(p: Chart) -> Evidence | None:
    note = p.noted(r"dkms.*(log|error)|make_log|akmods.*log", like=r"error|failed|bad return")
    p.need("modules", "dkms_status") if note is None else None
    return r.certain(note) if note and unloaded(p) else None


@sign("module-signature-rejected")
def key_not_enrolled(p: Chart) -> Evidence | None:
    enforced = p.need("kernel", "secure_boot") or "module.sig_enforce=1" in str(p.maybe("kernel", "cmdline"))
    if not enforced or not unloaded(p) or not fits_kernel(p):
        return None
    signer = (r.module_on_disk(p) or {}).get("signer", "unread")
    enrolled = p.maybe("modules", "mok_enrolled")
    if signer in (None, ""):
        return r.likely("Secure Boot is on and the module is unsigned", signer="none")
    if enrolled is None or signer == "unread" or any(str(signer) in str(key) for key in enrolled):
        return None
    return r.certain(f"signer {signer}", f"enrolled: {', '.join(map(str, enrolled)) or 'none'}", signer=signer)


@sign("module-blacklisted")
def line_forbids(p: Chart) -> Evidence | None:
    if r.in_container(p) or "nvidia" in r.loaded_modules(p) or p.maybe("nvml", "init", "code") == 0:
        return None
    if p.maybe("pci") is not None and not r.gpus_on_bus(p):
        return None
    told = [(path, str(item)) for path, item in p.leaves if path.startswith("modprobe_d") or path == "kernel.cmdline"]
    hits = [f"{path}: {text}" for path, text in told if FORBIDS.search(text)]
    return r.certain(*hits, line=hits[0]) if hits else None


FORBIDS = re.compile(
    r"^\s*blacklist nvidia\s*$|^\s*alias nvidia off|^\s*install nvidia /(usr/)?s?bin/(true|false)"
    r"|(module_blacklist|modprobe\.blacklist)=\S*\bnvidia\b",
    re.MULTILINE,
)


@sign("vfio-pci-bound")
def reserved(p: Chart) -> Evidence | None:
    held = [row for row in r.gpus_on_bus(p) if str(row.get("driver")) in RESERVED]
    if not held or r.bound(p) or r.serves(p):
        return None
    return r.certain(f"{r.label(held[0])}: driver {held[0]['driver']}", gpu=r.label(held[0]), owner=held[0]["driver"])


@sign("stale-module-in-initramfs")
def boot_image_is_old(p: Chart) -> Evidence | None:
    """Before a reboot the old module is loaded too: only the image, or a boot since the upgrade, tells."""
    loaded, disk = r.loaded_version(p), (r.module_on_disk(p) or {}).get("version")
    if r.in_container(p) or loaded is None or not disk or str(loaded) == str(r.library_version(p, "libnvidia-ml.so.1")):
        return None
    image = p.noted(r"initramfs|initrd|(nvidia_ko|module).*(copies|paths|duplicates)", like=re.escape(str(loaded)))
    since = p.noted(r"(boot|reboot)\w*_(since|after)_(upgrade|update|install)|survives_reboot|mismatch_after_reboot")
    if image or since:
        return r.likely(image or since, f"loaded {loaded}, on disk {disk}", wanted=disk)
    if str(disk) == str(loaded):
        return r.possible(f"loaded and on disk {loaded}, libraries newer", wanted=r.library_version(p, "libcuda.so.1"))
    return None


@sign("persistence-mode-off")
def slow_first_call(p: Chart) -> Evidence | None:
    off = [
        device for device in r.healthy_devices(p) if str(device.get("persistence_mode")) in ("0", "False", "Disabled")
    ]
    reading = p.patient.reading("nvml")
    took = max([reading.took_s if reading else 0.0, *(float(item) for _, item in _timings(p))])
    if not off or took < SLOW_S or r.is_laptop(p):
        return None
    return r.likely(f"persistence off, {took:.1f} s", took=f"{took:.1f}")


SLOW_S = 2.0
OFF = ("0", "False", "Disabled", "OFF", "off")


def _timings(p: Chart) -> list[tuple[str, float]]:
    found = [(path, item) for path, item in p.leaves if re.search(r"(took|init|first|latency)\w*_s$", path)]
    return [(path, float(item)) for path, item in found if isinstance(item, int | float)]
