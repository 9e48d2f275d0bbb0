"""params.yaml as validated, frozen settings.

A parameter takes two hops: params.yaml -> one of these objects -> an ordinary keyword argument.
An unknown key, a wrong type or a value out of range ends with a line that names the parameter and what it may be.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fer.emotions import IMAGE_SIZE
from fer.errors import UserError

PARAMS = Path("params.yaml")
UNION_BRANCHES = {"constrained-int", "int", "float", "str"}  # pydantic names them in an error's place

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands there twice")
    return seeds


# YAML has lists only: strict would refuse them where a tuple is meant.
Names = Annotated[tuple[str, ...], Field(strict=False)]
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), AfterValidator(distinct)]
Pairs = Annotated[tuple[Annotated[tuple[str, str], Field(strict=False)], ...], Field(strict=False)]


class ParamsError(UserError):
    """params.yaml holds something that it may not hold; the message names each parameter."""


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Dataset(Settings):
    """What belongs to one dataset: where it comes from, how much of it, and which runs it gets."""

    faces: Count | None
    drawing_seed: Seed | None
    source: str | None
    seeds: Seeds
    max_epochs: Count | None
    epochs: dict[str, Count]
    max_input_size: Annotated[int, Field(ge=IMAGE_SIZE)] | None
    weights: Literal["required", "optional"]
    publish: Names
    explain_faces: Count

    def epochs_of(self, system: str) -> int | None:
        """The most epochs that the system gets; None for as many as it asks for."""
        return self.epochs.get(system, self.max_epochs)


class Clean(Settings):
    drop_leaked: bool


class Normalise(Settings):
    method: Literal["pixel", "global", "image"]


class Train(Settings):
    systems: Names
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Count
    workers: Count | Literal["auto"]


class Distil(Settings):
    systems: Names
    teacher: str
    alpha: Fraction
    temperature: Positive


class Transfer(Settings):
    systems: Names
    weights_dir: str | None


class Layers(Settings):
    """What a system changes in its network's row; null leaves what the report has."""

    batch_norm: bool | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    pooling: Literal["max", "fractional"] | None = None

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

    @property
    def on(self) -> bool:
        return self != Augment(fill=self.fill)

    @property
    def warps(self) -> bool:
        return any((self.rotation, self.shift, self.shear, self.scale))


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

    normalise: Literal["pixel", "global", "image"] | None = None
    layers: Layers = Layers()
    input_size: Annotated[int, Field(ge=IMAGE_SIZE)] = IMAGE_SIZE

    weights: str | None = None
    trainable_stages: Annotated[int, Field(ge=0)] | None = None
    unfreeze_every: Count | None = None
    backbone_rate: Positive = 1.0
    adapt_statistics: bool = False

    @property
    def given(self) -> dict[str, Any]:
        """As plain values, without the options that are off."""
        return self.model_dump(exclude_defaults=True)

    @property
    def features_once(self) -> bool:
        """Whether the backbone says the same of a face in every epoch."""
        frozen = self.weights is not None and self.trainable_stages == 0 and self.unfreeze_every is None
        return frozen and not self.augment.on


class System(Recipe):
    """One system of the table: its network, the datasets that run it, its recipe."""

    model: str
    datasets: Names
    max_seeds: Count | None = None

    def recipe(self, *, max_epochs: int | None, max_input_size: int | None, smallest: int) -> Recipe:
        """The recipe alone, epochs and input size under the dataset's caps, the input at least `smallest`."""
        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.model_fields})
        capped = {
            "epochs": min(self.epochs, max_epochs or self.epochs),
            "input_size": max(smallest, min(self.input_size, max_input_size or self.input_size)),
        }
        return recipe.model_copy(update=capped)


class Evaluate(Settings):
    resamples: Count
    bootstrap_seed: Seed
    batch_size: Count


class Compare(Settings):
    pairs: Pairs


class Explain(Settings):
    systems: Names
    shown: Count
    gallery: Count
    steps: Annotated[int, Field(ge=2, le=IMAGE_SIZE)]


class Params(Settings):
    """The whole of params.yaml."""

    dataset: str
    datasets: dict[str, Dataset]
    clean: Clean
    normalise: Normalise
    train: Train
    distil: Distil
    transfer: Transfer
    systems: dict[str, System]
    evaluate: Evaluate
    compare: Compare
    explain: Explain

    @model_validator(mode="after")
    def names_exist(self) -> Self:
        trained = (*self.train.systems, *self.distil.systems, *self.transfer.systems)
        require("dataset", (self.dataset,), self.datasets)
        require("train.systems", self.train.systems, self.systems)
        require("distil.systems", self.distil.systems, self.systems)
        require("transfer.systems", self.transfer.systems, self.systems)
        require("distil.teacher", (self.distil.teacher,), self.train.systems)
        require("compare.pairs", (name for pair in self.compare.pairs for name in pair), self.systems)
        require("explain.systems", self.explain.systems, self.systems)
        for name, dataset in self.datasets.items():
            require(f"datasets.{name}.publish", dataset.publish, self.systems)
            require(f"datasets.{name}.epochs", dataset.epochs, self.systems)
        for name, system in self.systems.items():
            require(f"systems.{name}.datasets", system.datasets, self.datasets)
        for name, system in self.systems.items():
            if (system.weights is not None) != (name in self.transfer.systems):
                raise ValueError(f"systems.{name}.weights: systems of transfer.systems have them, and no others")
        for name in self.distil.systems:
            require(f"systems.{name}.datasets", self.systems[name].datasets, self.systems[self.distil.teacher].datasets)
        untrained = [name for name in self.systems if trained.count(name) != 1]
        if untrained:
            raise ValueError(
                f"systems.{untrained[0]}: must stand once in train.systems, distil.systems or transfer.systems"
            )
        return self


def require(parameter: str, names: Any, allowed: Any) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{parameter}={name}: no such name; known: {', '.join(allowed)}")


def load_params(path: Path = PARAMS) -> Params:
    """Raises ParamsError, a line for each wrong parameter."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return Params.model_validate(content)
    except OSError as error:
        raise ParamsError(f"{path}: {error.strerror}") from None
    except YAMLError as error:
        raise ParamsError(f"{path}: no valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {line}" for line in map(explain, error.errors()))) from None


def explain(error: Any) -> str:
    """One line for one of pydantic's errors: the parameter's dotted name, its value, what it may be."""
    name = ".".join(str(part) for part in error["loc"] if str(part) not in UNION_BRANCHES and "[" not in str(part))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "no such parameter"
    elif error["type"] == "value_error":
        return f"{name}: {error['input']!r}: {message}" if name else message
    elif error["type"] == "missing":
        message = "not given"
    else:
        message = f"{error['input']!r}: {message[0].lower()}{message[1:]}"
    return f"{name}: {message}"
