"""Variables that steer CUDA, the loader and Python."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

HIDE_ALL = {"", "-1", "NoDevFiles", "none", "None", "void"}
NO_DEVICE = 100
CUDNN_CLASH = r"cuDNN version incompatibility|libcudnn\w*\.so\.\d+ not defined|CUDNN_STATUS_\w*VERSION_MISMATCH"
USER_SITE = re.compile(r"(^|/)\.local/lib/python|/AppData/Roaming/Python/|/Library/Python/")
SYSTEM = ("/usr", "/usr/local")  # the system's Python shares its user's site on purpose
LIMITERS = re.compile(r"vgpu|nccl|cuda|nvidia|gpu", re.IGNORECASE)


def visible(p: Chart) -> str | None:
    return r.env(p, "CUDA_VISIBLE_DEVICES")


def no_device(p: Chart) -> bool:
    """Tell whether CUDA finds nothing here."""
    return bool(p.maybe("cuda", "cuInit", "code") == NO_DEVICE or p.maybe("env_probe", "device_count") == 0)


@sign("cuda-visible-devices-empty")
def hides_all(p: Chart) -> Evidence | None:
    value = visible(p)
    if value is None or value.strip() not in HIDE_ALL or not (p.maybe("nvml", "devices") and r.healthy_devices(p)):
        return None
    helps = r.ab_helps(p, "CUDA_VISIBLE_DEVICES")
    return r.certain(f"CUDA_VISIBLE_DEVICES={value!r}", "works without it" if helps else "", value=value)


@sign("cuda-visible-devices-out-of-range")
def names_too_much(p: Chart) -> Evidence | None:
    """CUDA reads up to the first entry that it does not find."""
    value = visible(p)
    first = re.match(r"\s*\d+(\s*,\s*\d+)*", value or "")
    if not first or value is None:
        return None
    count = len(r.healthy_devices(p))
    wanted = [int(word) for word in first[0].split(",")]
    beyond = [index for index, number in enumerate(wanted) if number >= count]
    if not beyond or not count or any(r.mig_on(device) for device in r.devices(p)):
        return None
    severity = "advisory" if beyond[0] > 0 and not no_device(p) else None
    line = f"CUDA_VISIBLE_DEVICES={value}, {count} GPUs"
    return r.certain(line, value=value, last=count - 1 or None, severity=severity)


@sign("cuda-visible-devices-out-of-range")
def works_without_it(p: Chart) -> Evidence | None:
    """Where nobody counted the GPUs, the probe without the variable decides."""
    value = visible(p) or ""
    if not re.match(r"\s*\d", value) or p.maybe("nvml", "devices") or not r.ab_helps(p, "CUDA_VISIBLE_DEVICES"):
        return None
    return r.certain(f"CUDA_VISIBLE_DEVICES={value}", "works without it", value=value)


@sign("cuda-visible-devices-bad-uuid")
def names_a_stranger(p: Chart) -> Evidence | None:
    value = (visible(p) or "").split(",")[0].strip()
    if not re.match(r"(GPU|MIG)-", value) or r.serves(p):
        return None
    known = [str(device["uuid"]) for device in r.devices(p) if device.get("uuid")]
    known += [str(each) for device in r.devices(p) for each in r.mig_instances(device) or ()]
    if any(value in uuid or uuid.startswith(value) for uuid in known):
        return None
    if known:
        return r.certain(f"CUDA_VISIBLE_DEVICES={value}", f"here: {', '.join(known[:4])}", value=value)
    return r.possible(f"CUDA_VISIBLE_DEVICES={value}", value=value) if no_device(p) else None


@sign("cuda-visible-devices-after-init")
def set_in_the_program(p: Chart) -> Evidence | None:
    line = p.said(r"import torch.{0,400}os\.environ\[.CUDA_VISIBLE_DEVICES.\]\s*=")
    return r.possible(line) if line else None


@sign("cuda-device-order-mismatch")
def different_cards(p: Chart) -> Evidence | None:
    names = {str(device.get("name")) for device in r.healthy_devices(p)}
    if len(names) < 2 or r.env(p, "CUDA_DEVICE_ORDER"):
        return None
    return r.certain(*sorted(names), "CUDA_DEVICE_ORDER is not set")


def foreign(p: Chart, soname: str, message: str) -> Evidence | None:
    """Give the evidence that the loader took a library from elsewhere and that it does not fit."""
    line, taken = p.said(message), r.mapped_outside(p, soname)
    compared = p.maybe("env_probe", "ab_tests") or {}
    helps = r.ab_helps(p, "LD_LIBRARY_PATH")
    if not line or ("LD_LIBRARY_PATH" in str(compared) and not helps and not taken):
        return None
    unset = p.maybe("env") is not None and not r.env(p, "LD_LIBRARY_PATH")
    say = r.certain if helps or taken else r.possible if unset else r.likely
    return say(line, taken or "", "works without LD_LIBRARY_PATH" if helps else "", library=taken)


@sign("ld-library-path-cublaslt")
def foreign_cublaslt(p: Chart) -> Evidence | None:
    return foreign(p, r"libcublas", r"undefined symbol: cublasLt\w+|libcublas\S*: symbol.*libcublasLt")


@sign("ld-library-path-cublaslt")
def cublas_call_fails(p: Chart) -> Evidence | None:
    """With a foreign cuBLAS mapped, a plain matrix product answers that its values are invalid."""
    taken = r.mapped_outside(p, r"libcublas")
    line = p.said("CUBLAS_STATUS_(INVALID_VALUE|NOT_SUPPORTED|NOT_INITIALIZED)") if taken else None
    return r.likely(line, taken, library=taken) if line else None


@sign("ld-library-path-nvjitlink")
def foreign_nvjitlink(p: Chart) -> Evidence | None:
    return foreign(p, r"libnvJitLink", r"undefined symbol: __nvJitLink\w+")


@sign("ld-library-path-cudnn")
def foreign_cudnn(p: Chart) -> Evidence | None:
    return foreign(p, r"libcudnn", CUDNN_CLASH)


@sign("alloc-conf-invalid")
def option_is_too_new(p: Chart) -> Evidence | None:
    value = r.env(p, "PYTORCH_CUDA_ALLOC_CONF") or ""
    for option, since in p.known["alloc_options"].items():
        if option in value and r.torch_at_most(p, str(since)):
            return r.certain(f"PYTORCH_CUDA_ALLOC_CONF={value}", option=option, since=since, value=value)
    return None


@sign("alloc-conf-ignored-new-name")
def new_name_only(p: Chart) -> Evidence | None:
    value = r.env(p, "PYTORCH_ALLOC_CONF") or ""
    if "expandable_segments" not in value or r.env(p, "PYTORCH_CUDA_ALLOC_CONF"):
        return None
    version = r.torch_version(p)
    ignored = version and version.base_version.startswith(p.known["alloc_conf_ignored"] + ".")
    return r.likely(f"PYTORCH_ALLOC_CONF={value}, torch {version}") if ignored else None


@sign("user-site-shadows-env")
def imported_from_elsewhere(p: Chart) -> Evidence | None:
    file, prefix = r.torch_file(p), str(p.need("env_probe", "prefix"))
    if not file or r.within(file, prefix):
        return None
    paths = str(p.maybe("env", "PYTHONPATH") or "").replace(";", ":").split(":")
    by_path = any(path and r.within(file, path) for path in paths)
    helps = r.ab_helps(p, "PYTHONNOUSERSITE") or r.ab_helps(p, "user site") or r.ab_helps(p, "PYTHONPATH")
    if not (USER_SITE.search(file) or by_path or helps):
        return None
    if prefix in SYSTEM and not helps:
        return None
    severity = "degraded" if r.kernel_ran(p) and not helps else None
    return r.certain(f"torch.__file__ {file}", f"prefix {prefix}", file=file, severity=severity)


@sign("cwd-shadows-torch")
def imported_from_here(p: Chart) -> Evidence | None:
    file, cwd = r.torch_file(p), p.maybe("env_probe", "cwd")
    here = bool(cwd) and r.within(file, str(cwd)) and "site-packages" not in file and "dist-packages" not in file
    helps = any(r.ab_helps(p, change) for change in ("-P", "-I", "from /", "another directory"))
    if not here and not helps:
        return None
    return (r.certain if helps else r.likely)(f"torch.__file__ {file}", file=file)


@sign("ld-preload-interposer")
def preloaded(p: Chart) -> Evidence | None:
    value = r.env(p, "LD_PRELOAD") or (p.noted(r"ld_?\.?so_?\.?preload") or "").split(" = ")[-1]
    helps = r.ab_helps(p, "LD_PRELOAD")
    if not value or not (helps or LIMITERS.search(value)):
        return None
    proof = ", and without it the GPU works" if helps else ""
    severity = None if helps or not r.serves(p) else "advisory"
    return (r.certain if helps else r.possible)(f"LD_PRELOAD={value}", value=value, proof=proof, severity=severity)
