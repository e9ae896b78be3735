"""Being inside an environment."""

import subprocess
from pathlib import Path

from envforge.provision import activated, activation, activation_script
from tiny import HERE, package, section, wheel

OUTSIDE = {"PATH": "/usr/bin", "PYTHONHOME": "/x", "VIRTUAL_ENV": "/v", "CONDA_PREFIX": "/c", "HOME": "/h"}


def conda(make, **more):
    return make(section(package("python", "3.11.7"), variables=(("WORDS", "it's $HOME"),)), **more)


def test_a_conda_prefix_is_entered_as_conda_does(make, envs):
    expected = {
        "PATH": f"{envs}/demo/bin:/usr/bin",
        "HOME": "/h",
        "CONDA_PREFIX": f"{envs}/demo",
        "CONDA_DEFAULT_ENV": "demo",
        "CONDA_SHLVL": "1",
        "WORDS": "it's $HOME",
    }
    assert expected == activated(activation(conda(make)), OUTSIDE)


def test_a_venv_is_entered_as_venv_does(make, envs):
    made = make(section(wheel("einops"), interpreter=HERE))
    (envs / "demo/pyvenv.cfg").touch()
    expected = {"PATH": f"{envs}/demo/bin", "VIRTUAL_ENV": f"{envs}/demo", "VIRTUAL_ENV_PROMPT": "demo"}
    assert expected == activated(activation(made), {"CONDA_PREFIX": "/c"})


def test_a_shell_gets_the_same_variables_from_the_script(make, envs):
    made = conda(make, prefix=envs / "$HOME `ls`; größe")
    scripts = Path(made.prefix) / "etc/conda/activate.d"
    scripts.mkdir(parents=True)
    for number in "21":
        (scripts / f"{number}.sh").write_text(f"export ORDER=${{ORDER}}{number}\n")
    script = activation_script(activation(made))
    done = subprocess.run(["sh", "-c", script + "env"], capture_output=True, text=True, env=OUTSIDE, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    expected = activated(activation(made), OUTSIDE) | {"ORDER": "12"}
    assert expected == {name: seen.get(name) for name in expected}
    assert {"PYTHONHOME", "VIRTUAL_ENV"} & set(seen) == set()
