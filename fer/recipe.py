"""What one run is: its network's options, its augmentation, its schedule, and all else that the loop needs to know.

Blocks of params.yaml; fer/params.py holds them together with all other parameters.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fer.emotions import IMAGE_SIZE

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
# YAML has lists only: strict would refuse them where a tuple is meant.
Names = Annotated[tuple[str, ...], Field(strict=False)]


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Layers(Settings):
    """What a system changes in its network's row; null leaves what the report has. Each row takes some of them."""

    batch_norm: bool | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    pooling: Literal["max", "fractional"] | None = None
    width: Positive | None = None
    squeeze_excitation: bool | None = None
    stochastic_depth: Annotated[float, Field(ge=0, lt=1)] | None = None
    blur_pooling: bool | None = None

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class Augment(Settings):
    """How far each training face may be distorted; 0 switches an ingredient off (fer/data/augment.py)."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0  # degrees, from [-rotation, rotation]; positive is clockwise
    shift: Fraction = 0.0  # of the side, from [-shift, shift] on each axis
    shear: Annotated[float, Field(ge=0, le=1.5)] = 0.0  # radians, along x; at pi / 2 nothing is left of a face
    scale: Annotated[float, Field(ge=0, le=0.9)] = 0.0  # the zoom factor is from [1 - scale, 1 + scale]
    erasing: Fraction = 0.0  # probability; Random Erasing (Zhong et al. 2020) in black, torchvision's default
    brightness: Fraction = 0.0  # the factor is from [1 - brightness, 1 + brightness]
    contrast: Fraction = 0.0  # likewise, around the face's own mean
    fill: Literal["border", "zeros"] = "border"  # outside the face: its edge (Keras's "nearest") or black
    crop: Annotated[int, Field(ge=24, lt=IMAGE_SIZE)] | None = None  # pixels; a random square, in evaluation the centre

    @property
    def on(self) -> bool:
        return self != Augment(fill=self.fill)

    @property
    def warps(self) -> bool:
        return any((self.rotation, self.shift, self.shear, self.scale))


class Schedule(Settings):
    """The learning rate of each step, instead of one an epoch (fer/training/schedule.py)."""

    shape: Literal["constant", "linear", "cosine", "one_cycle"]
    warm_up: NotNegative = 0.0  # epochs; at most half of those that the run gets
    final: Fraction = 0.0  # the last rate, as a share of the highest; one_cycle has its own


class Recipe(Settings):
    """How to train: all that the loop needs to know beside the network, the loss and the data.

    What has a default here is an option that a block of params.yaml may leave out; the default is "off". Options that
    are off do not stand in `given`, so that a new one changes no run that does not use it.
    """

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    optimiser: Literal["adam", "sgd", "adagrad", "rmsprop"]
    learning_rate: Positive
    learning_rate_decay: Annotated[float, Field(gt=0, le=1)]
    l2: NotNegative
    flip: bool
    select_by: Literal["accuracy", "loss"]
    patience: Count | None

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    augment: Augment = Augment()
    class_weights: Literal["none", "balanced"] = "none"
    merge_disgust: bool = False
    reduce_on_plateau: Annotated[float, Field(gt=0, lt=1)] | None = None
    plateau_patience: Count = 5
    keep_every: Count | None = None
    schedule: Schedule | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: NotNegative = 0.0  # alpha of the Beta distribution that the shares come from
    mixup_off_epochs: Annotated[int, Field(ge=0)] = 0  # the last ones, without mixup
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None  # decay of the weights' average
    sam: Positive | None = None  # rho, the radius of sharpness-aware minimisation
    training_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of Training's faces, the same ones for every seed

    normalise: Literal["pixel", "global", "image"] | None = None
    layers: Layers = Layers()
    input_size: Annotated[int, Field(ge=16)] = IMAGE_SIZE
    views: Literal["one", "flip", "ten_crop"] = "one"

    weights: str | None = None
    trainable_stages: Annotated[int, Field(ge=0)] | None = None
    unfreeze_every: Count | None = None
    backbone_rate: Positive = 1.0
    adapt_statistics: bool = False

    @model_validator(mode="after")
    def options_fit(self) -> Self:
        if self.schedule and (self.learning_rate_decay != 1 or self.reduce_on_plateau):
            raise ValueError("schedule: decides every step's rate; learning_rate_decay must be 1.0, no plateau factor")
        if self.views == "ten_crop" and not self.augment.crop:
            raise ValueError("views: ten_crop needs augment.crop, the side of the crops that it was trained on")
        return self

    @property
    def side(self) -> int:
        """Of the network's input, in pixels: the crop, unless it is scaled to another input size."""
        return self.augment.crop or IMAGE_SIZE if self.input_size == IMAGE_SIZE else self.input_size

    @property
    def given(self) -> dict[str, Any]:
        """As plain values, without the options that are off."""
        return self.model_dump(exclude_defaults=True)

    @property
    def features_once(self) -> bool:
        """Whether the backbone says the same of a face in every epoch."""
        frozen = self.weights is not None and self.trainable_stages == 0 and self.unfreeze_every is None
        return frozen and not self.augment.on and not self.mixup


class System(Recipe):
    """One system of the table: its network, the datasets that run it, its recipe."""

    model: str
    datasets: Names
    max_seeds: Count | None = None

    def changed(self, changes: Mapping[str, Any]) -> "System":
        """With other values of some parameters, by their dotted names. Raises ValidationError."""
        content = self.model_dump(exclude_unset=True)
        for name, value in changes.items():
            *blocks, last = name.split(".")
            inner: Any = {last: value}
            for block in reversed(blocks):
                inner = {block: inner}
            content = merged(content, inner)
        return System.model_validate(content)

    def recipe(self, *, max_epochs: int | None, max_input_size: int | None, smallest: int) -> Recipe:
        """The recipe alone, epochs and input size under the dataset's caps, the input at least `smallest`."""
        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.model_fields})
        capped = {
            "epochs": min(self.epochs, max_epochs or self.epochs),
            "input_size": max(smallest, min(self.input_size, max_input_size or self.input_size)),
        }
        return recipe.model_copy(update=capped)


def merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with `changes`, blocks merged into blocks."""
    inner = {
        name: merged(content.get(name) or {}, value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return {**content, **inner}
