"""Files that are whole or not there, and what killed writers leave."""

import os
import signal
import subprocess
import sys

import pytest

from envforge.run import whole

WRITER = """
import sys, time
from pathlib import Path
from envforge.run import whole
with whole(Path(sys.argv[1])) as file:
    file.write(b"new" * 1000)
    file.flush()
    print("writing", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def start(path, for_s):
    child = subprocess.Popen([sys.executable, "-c", WRITER, path, str(for_s)], stdout=subprocess.PIPE, text=True)
    assert "writing\n" == child.stdout.readline()
    return child


def write(path, content=b"mine"):
    with whole(path) as file:
        file.write(content)


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with whole(path) as file:
        file.write(b"new")
        file.flush()
        assert b"old" == path.read_bytes()
    assert ([path], b"new") == (list(tmp_path.iterdir()), path.read_bytes())


def fail_while_writing(path, failure):
    with whole(path) as file:
        file.write(b"new")
        raise failure


@pytest.mark.parametrize("failure", [OSError(28, "full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_one_alone(tmp_path, failure):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises((OSError, KeyboardInterrupt)):
        fail_while_writing(path, failure)
    assert ([path], b"old") == (list(tmp_path.iterdir()), path.read_bytes())


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path):
    path = tmp_path / "file"
    with start(path, 60) as child:
        child.kill()
    assert 1 == len(list(tmp_path.iterdir()))
    write(path)
    assert [path] == list(tmp_path.iterdir())


def test_what_another_process_writes_now_is_left_to_it(tmp_path):
    path = tmp_path / "file"
    with start(path, 0.5) as child:
        write(path)
        assert 2 == len(list(tmp_path.iterdir()))
        assert 0 == child.wait(10)
    assert ([path], b"new") == (list(tmp_path.iterdir()), path.read_bytes()[:3])


def test_files_of_others_are_never_swept(tmp_path):
    for name in (".file.backup", ".file.1x", ".other.4711", "file.4711"):
        (tmp_path / name).touch()
    write(tmp_path / "file")
    assert 5 == len(list(tmp_path.iterdir()))


def test_several_writers_leave_one_whole_file(tmp_path):
    path = tmp_path / "file"
    code = WRITER.replace("time.sleep(float(sys.argv[2]))", "")
    children = [subprocess.Popen([sys.executable, "-c", code, path, "0"], stdout=subprocess.DEVNULL) for _ in range(8)]
    assert [0] * 8 == [child.wait(30) for child in children]
    assert ([path], b"new" * 1000) == (list(tmp_path.iterdir()), path.read_bytes())


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    with start(tmp_path / "file", 60) as child:
        os.kill(child.pid, signal.SIGINT)
    assert [] == list(tmp_path.iterdir())
