"""A trainer ends soon after the process that wanted it, shells in between or not."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from fer.orchestration.watchdog import alive

TRAINER = (
    "import os, time; os.environ['DVC_STAGE'] = 'train'\n"
    "from fer.orchestration.watchdog import die_with_dvc\n"
    "die_with_dvc(0.1); print(os.getpid(), flush=True); time.sleep(60)"
)
LAUNCHER = "import subprocess, sys; subprocess.run({command!r}, shell={shell})"


@pytest.mark.parametrize("shell", [False, True])
def test_trainer_ends_with_its_launcher(shell: bool) -> None:
    command: object = [sys.executable, "-c", TRAINER]
    if shell:
        command = f'{sys.executable} -c "{TRAINER}"; true'
    code = LAUNCHER.format(command=command, shell=shell)
    launcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    trainer = psutil.Process(int(launcher.stdout.readline()))
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.wait()
    trainer.wait(timeout=10)


def test_without_dvc_nothing_is_watched() -> None:
    code = "import threading, fer.orchestration.watchdog as dog; dog.die_with_dvc(); print(threading.active_count())"
    environment = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout == "1\n"


def test_a_process_that_goes_between_two_questions_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(child.pid)
    assert alive(process)
    child.communicate()
    assert not alive(process)
    monkeypatch.setattr(process, "is_running", lambda: True)
    assert not alive(process)
