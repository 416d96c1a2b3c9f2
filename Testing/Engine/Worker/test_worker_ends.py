"""Workers that end, are ended, hang or print: real processes, with work that is told by a script and needs no torch."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from small_cases import make_organ

from FewShotSegmentLib.worker.client import Limits
from FewShotSegmentLib.worker.messages import Devices, Forget, Propagate, Weights

posix = pytest.mark.skipif(os.name != "posix", reason="signals")

SCRIPT = """
import os, sys, time
from FewShotSegmentLib.worker import handlers
from FewShotSegmentLib.worker.__main__ import main

def handle(request, job):
    {work}

handlers.handle = handle
main()
"""
STUBBORN = "job.progress(1, 9)\n    while True: time.sleep(0.01)"
LAUNCHER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, {script!r}, *sys.argv[1:]])
sys.exit(child.wait())
"""


@pytest.fixture
def script(tmp_path):
    """A worker whose work is this."""

    def script(work):
        path = tmp_path / "work.py"
        path.write_text(SCRIPT.format(work=work))
        return [str(path)]

    return script


def is_alive(pid):
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return sys.platform == "darwin"
    except OSError:
        return False
    return state != "Z"


def until(condition, client=None, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        if client is not None:
            client.tick()
        time.sleep(0.01)


def running(client, request=None):
    """A ticket whose work has begun."""
    ticket = client.submit(request or Forget())
    until(lambda: ticket.progress is not None and ticket.progress.done > 0, client, 60)
    return ticket


def test_the_first_line_waits_for_no_library(make_client, script):
    client = make_client(script("return {'loaded': sorted({'torch', 'numpy', 'SimpleITK'} & set(sys.modules))}"))
    began = client.submit(Forget())
    until(lambda: client.worker_info is not None, client, 10)
    assert client.worker_info.pid > 0 and client.worker_info.protocol == 1
    assert "torch" not in client.wait(began, 20).answer["loaded"]
    folder = client.folder
    pid = client.worker_info.pid
    client.close()
    assert not folder.exists()
    until(lambda: not is_alive(pid), seconds=5)


def test_what_is_printed_does_not_disturb(make_client, script):
    noise = "print('from Python'); sys.stdout.flush(); os.write(1, b'from C\\n'); os.system('echo from a child'); "
    client = make_client(script(noise + "return {'input': sys.stdin.read()}"))
    ticket = client.wait(client.submit(Forget()), 20)
    assert ticket.answer == {"input": ""}, client.last_log
    until(lambda: "child" in client.last_log, client)
    assert {"from Python", "from C"} <= set(client.last_log.splitlines())


def test_the_end_of_the_input_ends_a_worker_in_the_middle_of_its_work(make_client, files):
    """Also where its client is gone for good: its pipes close with it."""
    organ = make_organ()
    client = make_client()
    request = Propagate("", files.volume(organ.image), [files.segment(organ.mask, 7)], "cpu")
    ticket = running(client, request)
    pid, transport = client.worker_info.pid, client._transport
    began = time.monotonic()
    transport.close_input()
    until(lambda: not transport.running, seconds=10)
    assert time.monotonic() - began < 3 and not is_alive(pid)
    client.wait(ticket, 10)
    assert ticket.failure.kind == "crashed" and not any((client.folder / "answers").glob("*"))


@posix
def test_a_worker_that_is_killed_costs_one_request(make_client, script):
    client = make_client(script("while request.kind == 'forget': job.progress(1, 9)\n    return {}"))
    ticket, after = running(client), client.submit(Weights())
    os.kill(client.worker_info.pid, signal.SIGKILL)
    client.wait(ticket, 20)
    assert ticket.failure.kind == "crashed" and "ended from outside" in ticket.failure.sentence
    assert client.wait(after, 20).state == "done"


@posix
def test_a_crash_leaves_a_trace(make_client, script):
    client = make_client(script("import ctypes; ctypes.string_at(0)"))
    ticket = client.wait(client.submit(Forget()), 20)
    assert ticket.failure.kind == "crashed" and "signal 11" in ticket.failure.sentence
    assert "Segmentation fault" in ticket.failure.detail


@posix
def test_a_worker_that_hangs_is_noticed_and_ended(make_client, script):
    client = make_client(script(STUBBORN), Limits(silent_seconds=3, recheck_seconds=0.2))
    ticket = running(client)
    pid = client.worker_info.pid
    os.kill(pid, signal.SIGSTOP)
    assert client.wait(ticket, 20).failure.kind == "hung"
    until(lambda: not is_alive(pid), seconds=5)


@posix
@pytest.mark.parametrize("way", ["cancel", "close", "stopped", "launcher killed"])
def test_no_child_of_a_launcher_stays(make_client, script, tmp_path, way):
    (path,) = script(STUBBORN)
    launcher = tmp_path / "launcher.py"
    launcher.write_text(LAUNCHER.format(script=path))
    client = make_client([str(launcher)], Limits(cancel_seconds=0.2, close_seconds=0.2))
    ticket = running(client)
    pid, started = client.worker_info.pid, client._transport._process.pid
    assert pid != started and is_alive(pid)
    if way == "cancel":
        client.cancel(ticket)
        assert client.wait(ticket, 10).state == "cancelled"
    elif way == "launcher killed":
        os.kill(started, signal.SIGKILL)
        assert client.wait(ticket, 10).failure.kind == "crashed"
    else:
        if way == "stopped":  # it cannot even hear that its input has ended
            os.kill(pid, signal.SIGSTOP)
        client.close()
        assert ticket.state == "cancelled"
    until(lambda: not is_alive(pid) and not is_alive(started), seconds=5)


def test_a_request_in_the_worker_s_own_queue_is_cancelled_at_once(environment, tmp_path, script):
    """The client sends one at a time; the worker does not rely on it."""
    import subprocess

    from FewShotSegmentLib.worker.codec import from_line, to_line
    from FewShotSegmentLib.worker.messages import Alive, Cancel, Cancelled, Done, Failed, Ready

    work = "\n    ".join(
        ["while request.id == '1' and not job.cancelled(): time.sleep(0.01)", "job.check_cancelled()", "return {}"]
    )
    process = subprocess.Popen(
        [sys.executable, *script(work)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with process:
        try:
            messages = [Forget("1"), Forget("2"), Forget("3"), Cancel("", "2"), Cancel("", "none"), Cancel("", "1")]
            process.stdin.write(b"".join(map(to_line, messages)) + b'nonsense\n{"kind":"future","id":"9"}\n')
            process.stdin.flush()
            heard = []
            while len(heard) < 6:
                event = from_line(process.stdout.readline())
                heard += [] if isinstance(event, Alive) else [event]
        finally:
            process.stdin.close()
        assert process.wait(10) == 0
    assert isinstance(heard[0], Ready) and all(e in heard for e in (Cancelled("1"), Cancelled("2"), Done("3", {})))
    assert [type(e) for e in heard if e.id in ("", "9")][1:] == [Failed, Failed]


@pytest.mark.parametrize(
    ("torch", "words"),
    [
        ("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')", "is not installed here"),
        ("raise OSError('[WinError 126] c10.dll')", "cannot be loaded ([WinError 126] c10.dll)"),
    ],
)
def test_where_torch_is_missing_a_sentence_says_so(make_client, environment, tmp_path, torch, words):
    (tmp_path / "torch.py").write_text(torch)
    client = make_client(PYTHONPATH=os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]]))
    ticket = client.wait(client.submit(Devices()), 20)
    assert ticket.failure.kind == "request" and words in ticket.failure.sentence
    assert "PyTorch (torch)" in ticket.failure.sentence and "Set-up" in ticket.failure.sentence
    assert client.wait(client.submit(Weights()), 20).state == "done"  # what needs no torch works


def test_a_mistake_of_ours_is_told_with_its_traceback(make_client, script):
    client = make_client(script("raise KeyError('liver') if request.keys else MemoryError()"))
    ours, memory = (client.wait(client.submit(Forget(keys=keys)), 20) for keys in (["a"], []))
    assert ours.failure.kind == "internal" and "please report it (copy diagnostics)" in ours.failure.sentence
    assert "KeyError: 'liver'" in ours.failure.detail and "Traceback" not in ours.failure.sentence
    assert memory.failure.kind == "request" and "close other programs" in memory.failure.sentence
