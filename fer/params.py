"""params.yaml as validated, frozen settings.

A parameter takes two hops: params.yaml -> one of these objects -> an ordinary keyword argument.
An unknown key, a wrong type or a value out of range ends with a line that names the parameter and what it may be.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

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
    publish: Names


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


class Recipe(Settings):
    """How to train: all that the loop needs to know beside the network, the loss and the data."""

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    optimiser: Literal["adam", "sgd"]
    learning_rate: Positive
    learning_rate_decay: Annotated[float, Field(gt=0, le=1)]
    l2: NotNegative
    flip: bool
    select_by: Literal["accuracy", "loss"]
    patience: Count | None


class System(Recipe):
    """One system of the table: its network, the datasets that run it, its recipe."""

    model: str
    datasets: Names

    def recipe(self, max_epochs: int | None) -> Recipe:
        """The recipe alone, its epochs under the dataset's cap."""
        recipe = Recipe(**self.model_dump(include=set(Recipe.model_fields)))
        return recipe.model_copy(update={"epochs": min(self.epochs, max_epochs or self.epochs)})


class Evaluate(Settings):
    resamples: Count
    bootstrap_seed: Seed
    batch_size: Count


class Compare(Settings):
    pairs: Pairs


class Params(Settings):
    """The whole of params.yaml."""

    dataset: str
    datasets: dict[str, Dataset]
    clean: Clean
    normalise: Normalise
    train: Train
    distil: Distil
    systems: dict[str, System]
    evaluate: Evaluate
    compare: Compare

    @model_validator(mode="after")
    def names_exist(self) -> Self:
        trained = (*self.train.systems, *self.distil.systems)
        require("dataset", (self.dataset,), self.datasets)
        require("train.systems", self.train.systems, self.systems)
        require("distil.systems", self.distil.systems, self.systems)
        require("distil.teacher", (self.distil.teacher,), self.train.systems)
        require("compare.pairs", (name for pair in self.compare.pairs for name in pair), self.systems)
        for name, dataset in self.datasets.items():
            require(f"datasets.{name}.publish", dataset.publish, self.systems)
        for name, system in self.systems.items():
            require(f"systems.{name}.datasets", system.datasets, self.datasets)
        for name in self.distil.systems:
            require(f"systems.{name}.datasets", self.systems[name].datasets, self.systems[self.distil.teacher].datasets)
        untrained = [name for name in self.systems if trained.count(name) != 1]
        if untrained:
            raise ValueError(f"systems.{untrained[0]}: must stand once in train.systems or distil.systems")
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
