"""What one run is: its network, its augmentation, its optimizer, and all else that decides its result.

`train.defaults` of params.yaml has every option, a system's block says what differs: no option has a default here.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from fer.config.network import Network
from fer.config.settings import Count, Fraction, NotNegative, Positive, Rate, Settings
from fer.constants import IMAGE_SIZE

Normalise = Literal["pixel", "global", "image", "imagenet", "facenet", "vggface", "vggface2"]


class Augment(Settings):
    """How far each training face may be distorted; 0 switches an ingredient off (fer/training/augment.py)."""

    flip: bool  # mirrored with even odds
    probability: Fraction  # that a face is distorted at all, flips and crops apart
    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees, from [-rotation, rotation]; positive is clockwise
    shift: Fraction  # of the side, from [-shift, shift] on each axis
    shear: Annotated[float, Field(ge=0, le=1.5)]  # radians, along x; at pi / 2 nothing is left of a face
    scale: Annotated[float, Field(ge=0, le=0.9)]  # the zoom factor is from [1 - scale, 1 + scale]
    erasing: Fraction  # probability; Random Erasing (Zhong et al. 2020) in black, torchvision's default
    brightness: Fraction  # the factor is from [1 - brightness, 1 + brightness]
    contrast: Fraction  # likewise, around the face's own mean
    fill: Literal["border", "zeros"]  # outside the face: its edge (Keras's "nearest") or black
    crop: Annotated[int, Field(ge=24, lt=IMAGE_SIZE)] | None  # pixels; a random square, in evaluation the centre


class Schedule(Settings):
    """The learning rate of each step (fer/training/schedule.py); `none` leaves it to lr_decay, an epoch at a time."""

    shape: Literal["none", "constant", "linear", "cosine", "one_cycle"]
    warm_up: NotNegative  # epochs; at most half of those that the run gets
    final: Fraction  # the last rate, as a share of the highest; one_cycle has its own


class Transfer(Settings):
    """How to start from pretrained weights; without them it decides nothing."""

    pretrained_on: str | None  # what the table's column "starts from" says
    trainable_stages: Annotated[int, Field(ge=0)] | None  # of a backbone, from its end; null for all
    unfreeze_every: Count | None  # epochs until one more stage is trained
    backbone_lr: Positive  # the backbone's rate, as a share of the head's
    adapt_statistics: bool  # batch normalisation's statistics anew on Training before the first epoch


class Distil(Settings):
    """How much a student learns from its teacher (report 000, equation 1; Hinton et al. 2015)."""

    teachers: Literal["seed", "all"]  # the teacher's network of the same seed, or the mean of all of its seeds
    alpha: Fraction  # share of the cross-entropy with the labels
    temperature: Positive


class Options(Settings):
    """All of a run's options but its network: what `train.defaults` has to give."""

    input_size: Annotated[int, Field(ge=16)]  # pixels; faces are scaled to it where it is not 48
    normalise: Normalise

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    optimizer: Literal["adam", "sgd", "adagrad", "rmsprop"]
    lr: Positive
    lr_decay: Annotated[float, Field(gt=0, le=1)]  # factor after each epoch
    weight_decay: NotNegative  # L2, on weight matrices and filters
    momentum: Rate  # of sgd
    nesterov: bool
    schedule: Schedule
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] | None  # on the rate after plateau_patience epochs
    plateau_patience: Count
    select_by: Literal["accuracy", "loss"]  # the epoch kept is the best one on PublicTest
    patience: Count | None  # stop after so many epochs without a better one
    keep_every: Count | None  # epochs between weights that are kept beside the best

    augment: Augment
    mixup: NotNegative  # alpha of the Beta distribution that the shares come from; 0 is off
    mixup_off_epochs: Annotated[int, Field(ge=0)]  # the last ones, without mixup
    label_smoothing: Rate
    class_weights: Literal["none", "balanced"]
    merge_disgust: bool  # disgust counts as anger
    ema: Annotated[float, Field(gt=0, lt=1)] | None  # decay of the weights' moving average
    sam: Positive | None  # rho, the radius of sharpness-aware minimisation; twice the time
    training_share: Annotated[float, Field(gt=0, le=1)]  # of Training's faces, the same ones for every seed
    tta: Literal["none", "flip", "ten_crop"]  # test-time augmentation

    transfer: Transfer
    distil: Distil

    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "float32", "bfloat16"]  # auto: bfloat16 where the device computes it in hardware
    compile: Literal["auto", "always", "never"]  # auto: on CUDA, one process a run
    threads: Count  # CPU threads a seed; the last bits of a result depend on it

    @model_validator(mode="after")
    def options_fit(self) -> Self:
        if self.schedule.shape != "none" and (self.lr_decay != 1 or self.plateau_factor):
            raise ValueError("schedule: decides every step's rate; lr_decay must be 1.0 and plateau_factor null")
        if self.tta == "ten_crop" and not self.augment.crop:
            raise ValueError("tta: ten_crop needs augment.crop, the side of the crops that it was trained on")
        return self


class RunConfig(Options):
    """All that decides a run's result beside its data, its seed and the weights that it starts from."""

    network: Network

    def changed(self, changes: Mapping[str, Any]) -> "RunConfig":
        """Return the run with other values of some options, by their dotted names. Raise ValidationError."""
        content = self.model_dump()
        for name, value in changes.items():
            content = merged(content, nested(name, value))
        return RunConfig.model_validate(content)


def nested(name: str, value: Any) -> dict[str, Any]:
    """`a.b` and a value to {a: {b: value}}."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return dict(value)


def merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `content` with `changes`, blocks merged into blocks."""
    result = dict(content)
    for name, value in changes.items():
        old = content.get(name)
        result[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result
