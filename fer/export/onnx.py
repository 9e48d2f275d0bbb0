"""A trained network as one ONNX file: uint8 faces in, probabilities out, normalisation and labels inside.

Input `faces`, uint8 (N, 48, 48), grey values 0..255; output `probabilities`, float32 (N, 7), in the order of the
metadata's `labels`. N is free. Batch normalisations after convolutions become part of them. Logits are divided by the
weights' temperature where they have one.
"""

import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from fer.constants import EMOTION_NAMES, IMAGE_SIZE
from fer.files import atomic_write, sha256_of
from fer.models.classifier import Classifier, load_classifier
from fer.models.residual import BlurPool2d

INPUT, OUTPUT = "faces", "probabilities"
BATCH = "N"


class FromFaces(nn.Module):
    """Grey faces, uint8 (N, 48, 48), to probabilities (N, 7)."""

    def __init__(self, classifier: Classifier, temperature: float) -> None:
        super().__init__()
        self.classifier = with_plain_pools(classifier)
        self.temperature = temperature

    def forward(self, faces: Tensor) -> Tensor:
        # Not unsqueeze: OpenCV's dnn takes its result for one face, and fails on several.
        logits: Tensor = self.classifier(faces.reshape(-1, 1, IMAGE_SIZE, IMAGE_SIZE))
        return (logits / self.temperature).softmax(1)  # (N, 7)


def with_plain_pools(classifier: Classifier) -> Classifier:
    """Return the classifier with BlurPool2d's padded mean as an edge that is repeated and a mean: the same function.

    OpenCV's dnn counts the padding in a mean that leaves it out.
    """
    for blur in [module for module in classifier.modules() if isinstance(module, BlurPool2d)]:
        blur[0] = nn.Sequential(nn.ReplicationPad2d(1), nn.AvgPool2d(2, 1))
    return classifier


def export_onnx(weights: Path, out: Path, *, opset: int) -> None:
    """Write the network of a weights file with its provenance. The same weights give the same bytes.

    Raise WeightsError for a file that is not a network of this project.
    """
    classifier, provenance = load_classifier(weights)
    network = FromFaces(classifier, provenance.get("temperature", 1.0)).eval()
    facts = {"labels": EMOTION_NAMES, "provenance": provenance | {"weights_sha256": sha256_of(weights)}}
    write_model(out, with_metadata(to_onnx(network, opset=opset), facts))


def to_onnx(network: FromFaces, *, opset: int) -> onnx.ModelProto:
    """Trace it in evaluation mode; torch's newer exporter would need onnxscript beside torch."""
    example = torch.zeros(2, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, and of the images' sides, which never change
        torch.onnx.export(
            network,
            (example,),
            f"{folder}/network.onnx",
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: BATCH}, OUTPUT: {0: BATCH}},
            opset_version=opset,
            dynamo=False,
        )
        model = onnx.load(f"{folder}/network.onnx")
    onnx.checker.check_model(model, full_check=True)
    return model


def with_metadata(model: onnx.ModelProto, facts: Mapping[str, Any]) -> onnx.ModelProto:
    """Return the model with each fact as JSON under its name, in place of the metadata that it has."""
    onnx.helper.set_model_props(model, {name: json.dumps(facts[name], sort_keys=True) for name in sorted(facts)})
    return model


def read_metadata(model: onnx.ModelProto) -> dict[str, Any]:
    """Return what `with_metadata` wrote."""
    return {entry.key: json.loads(entry.value) for entry in model.metadata_props}


def write_model(path: Path, model: onnx.ModelProto) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
