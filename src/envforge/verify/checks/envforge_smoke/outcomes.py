"""What a check may say besides "it passed": it failed, it cannot run here, it passed but, it could not tell."""


class Said(Exception):
    """A check's verdict with its code, one sentence, and what was measured until then."""

    outcome = "pass"

    def __init__(self, code, detail, measured=None):
        Exception.__init__(self, detail)
        self.code, self.measured = code, measured or {}


class Failed(Said):
    """The thing examined is not well."""

    outcome = "fail"


class Skipped(Said):
    """The check cannot run here, and that is no fault."""

    outcome = "skip"


class Noted(Said):
    """The check passed, and there is something to know (``W_`` codes)."""

    outcome = "pass"


class Unclear(Said):
    """The check ran and could not tell."""

    outcome = "inconclusive"


SIGNS = (
    ("STATUS_ALLOC_FAILED", "E_OOM", "inconclusive"),
    ("no kernel image", "E_ARCH", "fail"),
    ("unsupported toolchain", "E_PTX_222", "fail"),
    ("CUDNN_STATUS", "E_CUDNN", "fail"),
    ("cuDNN", "E_CUDNN", "fail"),
    ("CUBLAS_STATUS", "E_CUBLAS", "fail"),
    ("uncorrectable ECC", "E_ECC", "fail"),
    ("Bus error", "E_SHM_BUS", "fail"),
    ("out of memory", "E_OOM", "inconclusive"),
    ("not enough memory", "E_OOM", "inconclusive"),
)


def of_exception(error):
    """Give (code, outcome) of an exception that no check expected."""
    if isinstance(error, ModuleNotFoundError):
        return "E_NO_MODULE", "fail"
    if isinstance(error, MemoryError):
        return "E_OOM", "inconclusive"
    text = str(error)
    for sign, code, outcome in SIGNS:
        if sign in text:
            return code, outcome
    return "E_EXCEPTION", "fail"
