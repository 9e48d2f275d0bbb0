"""An exported network in eight bits: onnxruntime's static quantisation."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from fer.constants import Split
from fer.export.onnx import INPUT, read_metadata, with_metadata, write_model
from fer.store import open_store, read_split

BATCH = 64


class Blocks(CalibrationDataReader):  # type: ignore[misc]
    """Faces, uint8 (N, 48, 48), as the quantiser asks for them."""

    def __init__(self, faces: NDArray[np.uint8]) -> None:
        self.blocks: Iterator[NDArray[np.uint8]] = iter(np.split(faces, range(BATCH, len(faces), BATCH)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        block = next(self.blocks, None)
        return None if block is None else {INPUT: block}


def quantise(exported: Path, out: Path, faces: NDArray[np.uint8]) -> None:
    """Write `exported` with int8 weights, a scale a channel, and uint8 activations whose ranges `faces` show.

    The first convolution stays in float: it costs little, reads the widest range of values, and in eight bits it alone
    took 0.8 points of the student's PublicTest. So do the last layer and the softmax: probabilities in steps of 1/256
    would tie and not add up to one.
    Weights keep seven bits (`reduce_range`): processors without VNNI add pairs of products in 16 bits, where eight
    would overflow, and the file would say something else there than elsewhere.

    Args:
        faces: uint8 (N, 48, 48), of Training: test faces must not decide anything.
    """
    network = onnx.load(exported)
    with tempfile.TemporaryDirectory() as name:
        quantised = Path(name) / "int8.onnx"
        logging.getLogger().addFilter(without_advice)
        try:
            quantize_static(
                exported,
                quantised,
                Blocks(faces),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[first_layer(network), *last_layers(network)],
            )
        finally:
            logging.getLogger().removeFilter(without_advice)
        model = onnx.load(quantised)
    facts = read_metadata(network)
    facts["provenance"]["calibration_faces"] = len(faces)
    write_model(out, with_metadata(model, facts))


def training_faces(store: Path, count: int) -> NDArray[np.uint8]:
    """Return `count` of Training's faces, (N, 48, 48), in an order that is always the same."""
    with open_store(store) as file:
        images = read_split(file, Split.training).images
    return images[np.random.default_rng(0).permutation(len(images))[:count]]


def first_layer(network: onnx.ModelProto) -> str:
    """Return the name of the first node with weights, a convolution or an affine layer."""
    return str(next(node.name for node in network.graph.node if node.op_type in {"Conv", "Gemm"}))


def last_layers(network: onnx.ModelProto) -> list[str]:
    """Return the names of the last affine layer and of what follows it: the temperature, the softmax."""
    nodes = network.graph.node
    last = max(place for place, node in enumerate(nodes) if node.op_type == "Gemm")
    return [node.name for node in nodes[last:]]


def without_advice(record: logging.LogRecord) -> bool:
    """Drop the quantiser's advice to optimise first: batch normalisations are folded already."""
    return "pre-processing" not in record.getMessage()
