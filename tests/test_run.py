"""Programs and children: deadlines hold, groups die whole, errors arrive whole."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from envforge.errors import EngineFailed, Unsatisfiable
from envforge.run import Child, Worker, in_child, run
from patience import comes, in_time, works, written


def test_a_program_gives_its_output_and_status():
    done = run([sys.executable, "-c", "import sys; print(input()); sys.exit(3)"], deadline_s=20, stdin="hello\n")
    assert (done.stdout, done.returncode, done.timed_out, done.ok) == ("hello\n", 3, False, False)


def test_a_signal_is_a_negative_status():
    done = run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], deadline_s=20)
    assert done.returncode == -signal.SIGKILL


def test_a_program_that_hangs_ends_at_its_deadline_with_what_it_printed():
    code = "import signal,time; signal.signal(2, signal.SIG_IGN); print('begun', flush=True); time.sleep(60)"
    done = run([sys.executable, "-c", code], deadline_s=2)
    assert (done.timed_out, done.stdout) == (True, "begun\n")


def test_the_whole_group_dies_at_the_deadline(tmp_path):
    note = tmp_path / "grandchild"
    code = f"import subprocess,time; p=subprocess.Popen(['sleep','60']); open({str(note)!r},'w').write(str(p.pid)); time.sleep(60)"
    run([sys.executable, "-c", code], deadline_s=2)
    assert comes(lambda: not works(int(note.read_text())))


def test_a_missing_program_is_named():
    with pytest.raises(EngineFailed, match="`no-such-program` cannot be started: No such file or directory"):
        run(["no-such-program"], deadline_s=5)


def test_a_child_gives_events_then_its_result():
    events = []

    def work(send):
        send({"step": 1})
        send({"step": 2})
        return os.getpid()

    pid = in_child(work, deadline_s=10, emit=events.append)
    assert (pid != os.getpid(), events) == (True, [{"step": 1}, {"step": 2}])


def test_a_childs_error_arrives_with_its_fields():
    def work(send):
        raise Unsatisfiable("no set of packages", ("spec.yaml:3",), ("relax it",))

    with pytest.raises(Unsatisfiable) as caught:
        in_child(work, deadline_s=10)
    assert (caught.value.message, caught.value.where, caught.value.hints) == (
        "no set of packages",
        ("spec.yaml:3",),
        ("relax it",),
    )


def test_a_childs_error_arrives_whatever_it_came_from():
    """tblib, which Dask brings, has pickle follow causes and contexts; many of other libraries cannot be pickled."""
    pytest.importorskip("distributed")

    class Foreign(Exception):
        def __reduce__(self):
            raise TypeError("cannot be pickled")

    def work(send):
        try:
            raise Foreign
        except Foreign as error:
            raise Unsatisfiable("no set of packages") from error

    with pytest.raises(Unsatisfiable):
        in_child(work, deadline_s=10)


@pytest.mark.parametrize(
    ("sign", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGABRT, "SIGABRT"), (signal.SIGKILL, "SIGKILL")]
)
def test_a_child_that_dies_is_told_by_its_signal(sign, name):
    with pytest.raises(EngineFailed, match=name):
        in_child(lambda send: os.kill(os.getpid(), sign), deadline_s=10)


def test_a_child_that_hangs_is_killed_at_its_deadline():
    with in_time(5), pytest.raises(EngineFailed, match="passed its deadline"):
        in_child(lambda send: time.sleep(60), deadline_s=0.3)


def test_a_result_that_cannot_be_pickled_is_an_error_not_a_hang():
    with pytest.raises(EngineFailed):
        in_child(lambda send: lambda: 1, deadline_s=10)


def test_no_child_is_left_behind():
    before = set(psutil.Process().children())
    for _ in range(3):
        in_child(lambda send: 1, deadline_s=10)
    assert set() == set(psutil.Process().children()) - before


def test_children_run_side_by_side_and_a_hang_is_told_with_what_came_before_it():
    def hang(send):
        send("half")
        time.sleep(60)

    with in_time(2):
        hung, dead, well = [Child(work) for work in (hang, lambda send: os.abort(), lambda send: 7)]
        told = [child.told(1) for child in (hung, dead, well)]
    assert [each.sent for each in told] == [("half",), (), ()]
    assert [str(each.error) for each in told] == [
        "the worker passed its deadline",
        "the worker died (SIGABRT)",
        "None",
    ]
    assert told[2].result == 7


def test_a_child_that_nobody_asks_can_be_ended():
    child = Child(lambda send: time.sleep(60))
    child.end()
    assert isinstance(child.told(1).error, EngineFailed)


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path):
    code = (
        "import os, sys, time; from envforge.run import in_child\n"
        "def work(send):\n    open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)\n"
        "in_child(work)\n"
    )
    place = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", code, place])
    assert comes(lambda: written(place))
    parent.kill()
    parent.wait()
    assert comes(lambda: not works(int(place.read_text())))


def test_lines_of_stderr_are_told_as_they_come_and_kept():
    told = []
    code = "import sys; print('out'); print('one', file=sys.stderr); print('two', file=sys.stderr)"
    done = run([sys.executable, "-c", code], deadline_s=20, tell=told.append)
    assert (["one", "two"], "out\n", "one\ntwo\n") == (told, done.stdout, done.stderr)


def told_pid(first, send):
    send(first)
    return os.getpid()


def raises(send):
    raise Unsatisfiable("no set of packages")


def sleeps(send):
    time.sleep(60)


def test_a_worker_does_one_job_after_another_in_one_child():
    worker, heard = Worker(lambda: None), []
    pids = {worker.do(told_pid, number, deadline_s=10, emit=heard.append) for number in (1, 2)}
    worker.end()
    assert ([1, 2], 1, False) == (heard, len(pids), os.getpid() in pids)


@pytest.mark.parametrize(("job", "deadline_s", "wanted"), [(raises, 10, Unsatisfiable), (sleeps, 0.5, EngineFailed)])
def test_a_worker_whose_job_fails_is_gone(job, deadline_s, wanted):
    worker = Worker(lambda: None)
    pid = worker.do(told_pid, 1, deadline_s=10)
    with pytest.raises(wanted):
        worker.do(job, deadline_s=deadline_s)
    assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110


def note(path, word, send):
    with path.open("a") as notes:
        notes.write(word)
    return word


def test_a_job_that_was_begun_is_done_once_and_its_answer_kept(tmp_path):
    worker, notes = Worker(lambda: None), tmp_path / "notes"
    worker.begin(note, notes, "a")
    assert (True, False) == (worker.can_do(note, notes, "a"), worker.can_do(note, notes, "b"))
    said = [worker.do(note, notes, word, deadline_s=10) for word in "ab"]
    worker.end()
    assert (["a", "b"], "ab") == (said, notes.read_text())


def test_a_worker_that_cannot_prepare_says_why():
    worker = Worker(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        worker.do(told_pid, 1, deadline_s=10)


def test_a_large_job_arrives_whole():
    worker = Worker(lambda: None)
    assert worker.do(told_pid, "x" * 3_000_000, deadline_s=20) > 0
    worker.end()
