"""Our small network beside the packages that people install to name an emotion: the same FER2013 faces, one core.

What `python -m fer predict` answers with (`flagship_small`), in PyTorch and as the files that `python -m fer export`
writes, one crop a face (the table of results has ten), and the PyPI packages `fer` and `deepface`, in an environment
that the benchmark makes, through their own calls for faces that need no detection. PrivateTest chose nothing of ours.
What the packages' networks were trained and chosen on, their wheels do not say; 1,000 faces of Training stand beside
PrivateTest as a hint. Speed is in faces a second of processor time, which other work on the machine does not change,
medians of rounds in turn.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.measure import machine, table
from fer.constants import Split
from fer.files import atomic_write, write_json
from fer.store import open_store, read_split

HERE = Path(__file__).parent
STORE = HERE.parent / "data" / "normalised.h5"
REQUIREMENTS = HERE / "predictors_requirements.txt"
FER = "fer==25.10.3"
OURS = {"eager": "ours, PyTorch", "float": "ours, ONNX", "int8": "ours, ONNX int8"}
PACKAGES = {"fer_tflite": f"{FER} (its default, TFLite)", "fer_keras": f"{FER}, Keras", "deepface": "deepface==0.0.103"}
ROUNDS = 5
RUNS = {"one": (32, 1), "batch": (128, 64)}  # faces, faces a call
SEEN = 1000  # faces of Training
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def measure() -> dict[str, Any] | None:
    """Accuracies, processor seconds of each round and why a package is left out; None without the real data."""
    if not STORE.exists():
        return None
    packages = environment()
    with tempfile.TemporaryDirectory(dir=os.environ.get("FER_SCRATCH")) as name, workers(Path(name), packages) as found:
        folder, (running, failed) = Path(name), found
        labels = {path.stem.split(".")[1]: np.load(path) for path in folder.glob("labels.*.npy")}
        accuracy = {
            predictor: {
                split: float((np.load(folder / f"{predictor}.{split}.npy") == of_split).mean())
                for split, of_split in labels.items()
            }
            for predictor in running
        }
        return {"accuracy": accuracy, "seconds": timed(running), "left_out": failed}


def environment() -> Path:
    """The Python of an environment with the packages, made once and kept beside the system's temporary files."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + FER.encode() + sys.version.encode()).hexdigest()[:12]
    folder = Path(os.environ.get("FER_SCRATCH") or tempfile.gettempdir()) / f"fer-predictors-{wanted}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
        subprocess.run([*pip, "--no-deps", FER], check=True)
        (folder / "complete").touch()
    return python


def write_faces(folder: Path) -> None:
    """{split}.npy and labels.{split}.npy: PrivateTest whole, some of Training."""
    with open_store(STORE) as file:
        splits = {split: read_split(file, split) for split in (Split.private_test, Split.training)}
    order = np.random.default_rng(0).permutation(len(splits[Split.training]))[:SEEN]
    for split, faces in splits.items():
        chosen = order if split is Split.training else slice(None)
        np.save(folder / f"{split}.npy", faces.images[chosen])
        np.save(folder / f"labels.{split}.npy", faces.labels[chosen])


@contextmanager
def workers(folder: Path, packages: Path) -> Iterator[tuple[dict[str, "subprocess.Popen[str]"], dict[str, str]]]:
    """A process for each predictor that starts, after it has labelled all faces; and why the others did not."""
    write_faces(folder)
    running: dict[str, subprocess.Popen[str]] = {}
    failed: dict[str, str] = {}
    try:
        for name in (*OURS, *PACKAGES):
            worker = start(name, folder, packages)
            if worker.stdout is not None and worker.stdout.readline() == "ready\n":
                running[name] = worker
            else:
                worker.wait()
                failed[name] = reason((folder / f"{name}.log").read_text(encoding="utf-8"))
        yield running, failed
    finally:
        for worker in running.values():
            worker.communicate()


def start(name: str, folder: Path, packages: Path) -> "subprocess.Popen[str]":
    ours = name in OURS
    path = {"PYTHONPATH": str(HERE.parent)} if ours else {}
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable if ours else packages, HERE / "predictor_worker.py", name, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
            env=kept | path | ONE_THREAD | QUIET,
        )


def reason(log: str) -> str:
    """Why a worker did not start: addresses and folders of its message are left out."""
    if "occurred while downloading" in log:
        return "its weights are a download, which failed"
    lines = log.strip().splitlines()
    return f"it did not start ({lines[-1].split(':')[0]})" if lines else "it did not start"


def timed(running: "dict[str, subprocess.Popen[str]]") -> dict[str, dict[str, list[float]]]:
    """Processor seconds of each run, predictor after predictor, round after round; a first round does not count."""
    seconds: dict[str, dict[str, list[float]]] = {name: {run: [] for run in RUNS} for name in running}
    for run, (faces, batch) in RUNS.items():
        for number in range(-1, ROUNDS):
            for name, worker in running.items():
                assert worker.stdin and worker.stdout
                worker.stdin.write(f"{faces} {batch}\n")
                worker.stdin.flush()
                answer = float(worker.stdout.readline())
                if number >= 0:
                    seconds[name][run].append(answer)
    return seconds


def report(result: dict[str, Any], _kind: str) -> str:
    titles = OURS | PACKAGES
    splits = [split.value for split in (Split.private_test, Split.training)]
    header = ["predictor", *(f"{split}, %" for split in splits), "faces/s, one a call", "faces/s, 64 a call"]
    rows = [
        [titles[name], *(f"{100 * of[split]:.1f}" for split in splits)]
        + [f"{faces / median(result['seconds'][name][run]):,.0f}" for run, (faces, _) in RUNS.items()]
        for name, of in result["accuracy"].items()
    ]  # fmt: skip
    left_out = "".join(f"\nLeft out: {titles[name]}: {why}.\n" for name, why in result["left_out"].items())
    return table(header, rows) + left_out


def main() -> None:
    facts = machine(torch.device("cpu"))
    result = measure()
    if result is None:
        sys.exit(f"{STORE.relative_to(HERE.parent)}: not here; `dvc repro normalise` writes it")
    write_json(HERE / "results" / "cpu" / "predictors.json", {"machine": facts, "result": result})
    with atomic_write(HERE / "predictors.md") as temporary:
        text = f"# Side by side with what people install\n\n{__doc__}\n{report(result, 'cpu')}"
        where = (
            f"\nOn: {facts['device']}, {facts['memory']}, commit {facts['commit']}; load before it {facts['load']}.\n"
        )
        temporary.write_text(text + where, encoding="utf-8")


if __name__ == "__main__":
    main()
