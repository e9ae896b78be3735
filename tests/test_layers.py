"""The house's layers: arrows point down only, siblings never meet, each third-party library has one home."""

import ast
import subprocess
import sys
from pathlib import Path

import envforge

ROOT = Path(envforge.__file__).parent
ROWS = [
    {"model", "errors"},
    {"wire", "run"},
    {"facts", "spec", "plan", "lock"},
    {"detect", "foreign", "resolve", "engines", "exports", "provision", "verify", "doctor", "fleet", "report"},
    {"cli"},
]
HOMES = {
    "rattler": {"engines/rattler.py", "engines/_rattler_worker.py", "engines/attestations.py", "engines/network.py"},
    "pynvml": {"detect/nvml.py"},
    "psutil": {"detect/memory.py"},
    "rich": {"report/text.py", "report/progress.py", "report/fleet_live.py"},
    "typer": {"cli"},
    "yaml": {"wire.py"},
    "pypi_simple": {"engines/index.py", "foreign/channels.py", "exports/pixi_lock.py"},
    "filelock": {"provision"},
    "dask": {"fleet/dask_pool.py"},
    "distributed": {"fleet/dask_pool.py", "fleet/jobqueue_pool.py"},
    "dask_jobqueue": {"fleet/jobqueue_pool.py"},
    "submitit": {"fleet/submitit_pool.py"},
}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= (
                {f"{node.module}.{name.name}" for name in node.names} if node.module == "envforge" else {node.module}
            )
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def row(name: str) -> int:
    return next((index for index, names in enumerate(ROWS) if name in names), -1)


def modules() -> list[tuple[Path, str]]:
    relative = [(path, path.relative_to(ROOT)) for path in sorted(ROOT.rglob("*.py"))]
    return [
        (path, part.parts[0].removesuffix(".py"))
        for path, part in relative
        if part.name != "__init__.py" or len(part.parts) > 1
    ]


def test_every_module_lives_in_a_known_room():
    assert {name for _, name in modules() if row(name) < 0} - {"__main__", "verbs"} == set()


def test_imports_point_down_only():
    wrong = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path, here in modules()
        for target in imports(path)
        if target.startswith("envforge.") and (there := room(target)) != here
        if row(there) >= row(here) and row(here) >= 0 and not (row(here) == 0 and row(there) == 0) and row(there) >= 0
    ]
    assert wrong == []


def test_each_library_has_one_home():
    wrong = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path, here in modules()
        for target in imports(path)
        if (homes := HOMES.get(target.split(".")[0])) and not {path.relative_to(ROOT).as_posix(), here} & homes
    ]
    assert wrong == []


def test_version_starts_no_heavy_library():
    code = (
        "import sys; sys.argv=['envforge','--version']\n"
        "import envforge.cli\n"
        "try: envforge.cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'rattler','pynvml','rich','typer','yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def functions(path: Path) -> list[tuple[str, int]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))
    return [(f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in found]


def test_no_function_is_longer_than_sixty_lines():
    assert [] == [name for path, _ in modules() for name, lines in functions(path) if lines > 60]


def test_the_median_function_has_about_ten_lines():
    lines = sorted(lines for path, _ in modules() for _, lines in functions(path))
    assert lines[len(lines) // 2] <= 10


def test_no_module_is_longer_than_300_lines():
    assert [] == [str(path.relative_to(ROOT)) for path, _ in modules() if path.read_text().count("\n") > 300]
