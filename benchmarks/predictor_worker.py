"""One predictor in a process of its own: it labels all faces, then runs as often as it is asked, on one core.

    python predictor_worker.py NAME FOLDER

FOLDER holds the faces, {split}.npy, uint8 (N, 48, 48), and gets the labels, {NAME}.{split}.npy. Each line on standard
input, `faces batch`, is a run over so many faces, so many a call; its answer is the processor seconds. It is run by two
Pythons: the project's, and the one that the other packages are installed in, where `fer` is the package of that name.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, BATCH = 48, 64
OURS = Path(__file__).parent.parent / "data" / "published" / "flagship_small.safetensors"

Faces = NDArray[np.uint8]  # (N, 48, 48)
Predictor = Callable[[Faces], Any]  # to a row of seven logits or probabilities a face, in FER2013's order


def eager() -> Predictor:
    import torch  # noqa: PLC0415

    from fer.models.classifier import load_classifier, predict  # noqa: PLC0415

    torch.set_num_threads(1)
    classifier, _ = load_classifier(OURS)
    return lambda faces: predict(classifier, torch.from_numpy(faces).unsqueeze(1), torch.float32).numpy()


def exported(*, int8: bool) -> Predictor:
    from fer.export.export import Exported  # noqa: PLC0415
    from fer.export.onnx import export_onnx  # noqa: PLC0415
    from fer.export.quantise import quantise, training_faces  # noqa: PLC0415

    folder = Path(sys.argv[2])
    path = folder / f"{sys.argv[1]}.onnx"
    export_onnx(OURS, path, opset=18)
    if int8:
        store = OURS.parents[1] / "normalised.h5"
        quantise(path, path, training_faces(store, 512))
    return Exported(path)


def package_fer(*, use_tflite: bool) -> Predictor:
    """Its own call for pictures with known boxes; several faces stand side by side in one picture."""
    detector = importlib.import_module("fer.fer").FER(use_tflite=use_tflite, offsets=(0, 0))

    def scores(faces: Faces) -> list[list[float]]:
        picture = np.repeat(np.hstack(list(faces))[:, :, None], 3, axis=2)  # (48, 48 N, 3)
        boxes = [(SIDE * place, 0, SIDE, SIDE) for place in range(len(faces))]
        found = detector.detect_emotions(picture, face_rectangles=boxes)
        return [list(face["emotions"].values()) for face in found]

    return scores


def package_deepface() -> Predictor:
    """Its own call for pictures that are faces already."""
    analyze = importlib.import_module("deepface").DeepFace.analyze

    def scores(faces: Faces) -> list[list[float]]:
        pictures = [np.repeat(face[:, :, None], 3, axis=2) for face in faces]  # (48, 48, 3) each
        found = analyze(pictures, actions=["emotion"], detector_backend="skip", enforce_detection=False, silent=True)
        return [list(face[0]["emotion"].values()) for face in found]

    scores(np.zeros((2, SIDE, SIDE), np.uint8))  # fails now where the weights cannot be had
    return scores


PREDICTORS: dict[str, Callable[[], Predictor]] = {
    "eager": eager,
    "float": lambda: exported(int8=False),
    "int8": lambda: exported(int8=True),
    "fer_tflite": lambda: package_fer(use_tflite=True),
    "fer_keras": lambda: package_fer(use_tflite=False),
    "deepface": package_deepface,
}


def blocks(faces: Faces, size: int) -> list[Faces]:
    return np.split(faces, range(size, len(faces), size))


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # the packages print as they like
    name, folder = sys.argv[1], Path(sys.argv[2])
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    predictor = PREDICTORS[name]()
    for path in sorted(folder.glob("[A-Z]*.npy")):
        scores = np.concatenate([np.asarray(predictor(block)) for block in blocks(np.load(path), BATCH)])  # (N, 7)
        np.save(folder / f"{name}.{path.name}", scores.argmax(1))
    print("ready", file=answers, flush=True)
    faces = np.load(folder / "Training.npy")
    for line in sys.stdin:
        count, batch = map(int, line.split())
        waiting = blocks(faces[:count], batch)
        begin = time.process_time()
        for block in waiting:
            predictor(block)
        print(time.process_time() - begin, file=answers, flush=True)


if __name__ == "__main__":
    main()
