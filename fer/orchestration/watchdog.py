"""No training outlives the process that started it: a `dvc repro` that is killed takes its training along."""

import multiprocessing
import os
import threading
import time

import psutil

SHELLS = {"sh", "bash", "dash", "zsh", "ash", "fish"}
INTERRUPTED = 130  # what a shell reports for Ctrl-C


def die_with_dvc(poll_seconds: float = 0.5) -> None:
    """End this process soon after the DVC that started it is gone. Do nothing without DVC.

    Between DVC and a process of a group stands torchrun: each is watched.
    """
    if "DVC_STAGE" not in os.environ:
        return
    parent = launcher(psutil.Process())
    watch(parent, poll_seconds)
    if "TORCHELASTIC_RUN_ID" in os.environ and parent:
        watch(launcher(parent), poll_seconds)


def die_with_parent(poll_seconds: float = 0.5) -> None:
    """End this worker process soon after its parent is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        watch(psutil.Process(parent.pid), poll_seconds)


def launcher(process: psutil.Process) -> psutil.Process | None:
    """Return the nearest ancestor that is not the shell which DVC runs a stage's command in."""
    return next((parent for parent in process.parents() if parent.name() not in SHELLS), None)


def watch(process: psutil.Process | None, poll_seconds: float) -> None:
    """os._exit, not an exception: the thread that trains may be deep in native code."""

    def poll() -> None:
        while process and alive(process):
            time.sleep(poll_seconds)
        os._exit(INTERRUPTED)

    if process is not None:
        threading.Thread(target=poll, daemon=True, name="watchdog").start()


def alive(process: psutil.Process) -> bool:
    """False for a zombie, and for a process that goes between the two questions."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
