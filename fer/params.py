"""params.yaml as validated, frozen settings.

A parameter takes two hops: params.yaml -> one of these objects -> an ordinary keyword argument.
An unknown key, a wrong type or a value out of range ends with a line that names the parameter and what it may be.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fer.emotions import IMAGE_SIZE
from fer.errors import UserError

PARAMS = Path("params.yaml")
ABLATION = "ablation"  # the name that the ablation's base has for a search
WAITING = "waiting.yaml"  # beside it: the systems that are not run yet
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


def launches_python(launcher: str) -> str:
    """DVC puts it before `-m stages.train` in a shell's command."""
    if launcher != "python" and not re.fullmatch(r"torchrun( [\w.:=/@+-]+)*", launcher):
        raise ValueError("allowed: python, or torchrun and its options, such as torchrun --nproc-per-node 8")
    return launcher


# YAML has lists only: strict would refuse them where a tuple is meant.
Names = Annotated[tuple[str, ...], Field(strict=False)]
Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), AfterValidator(distinct)]
Launcher = Annotated[str, AfterValidator(launches_python)]
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
    votes: str | None
    seeds: Seeds
    threads: Count
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
    near_duplicate_correlation: Annotated[float, Field(gt=0, lt=1)]


class Normalise(Settings):
    method: Literal["pixel", "global", "image"]


class Train(Settings):
    systems: Names
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    workers: Count | Literal["auto"]
    launcher: Launcher


class Distil(Settings):
    systems: Names
    teacher: str
    alpha: Fraction
    temperature: Positive


class Transfer(Settings):
    systems: Names
    weights_dir: str | None


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


class Ensemble(Settings):
    """The choice of members on PublicTest among `systems`, and the students that learn from all of them."""

    systems: Names
    rounds: Count
    students: Names
    alpha: Fraction
    temperature: Positive


class Dimension(Settings):
    """What one parameter of a search may be: a range, with `log` in equal ratios, or one of some choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    choices: Annotated[tuple[str | int | float | bool, ...], Field(strict=False, min_length=1)] | None = None

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        if (self.choices is None) != (self.low is not None and self.high is not None):
            raise ValueError("either low and high or choices")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low must be less than high")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("log needs a range above 0")
        return self


class Search(Settings):
    """`python -m fer search`: the space, by a system's parameters (dotted below a block), and how trials end early."""

    space: dict[str, Dimension]
    spaces: dict[str, dict[str, Dimension]] = {}  # of single systems, in place of `space`
    startup_trials: Count
    warm_up_epochs: Count
    seed: Seed

    @model_validator(mode="after")
    def parameters_exist(self) -> Self:
        spaces = {"space": self.space} | {f"spaces.{name}": space for name, space in self.spaces.items()}
        for name, space in spaces.items():
            require(name, (parameter.split(".")[0] for parameter in space), Recipe.model_fields)
        return self

    def of(self, system: str) -> "Search":
        """The search of that system: its own space where it has one."""
        return self.model_copy(update={"space": self.spaces.get(system, self.space), "spaces": {}})


class Ablation(Settings):
    """One system, and what is switched on in it: each ingredient alone, and `together` those that it names."""

    datasets: Names
    base: System
    ingredients: dict[str, dict[str, Any]]
    together: Names

    @model_validator(mode="after")
    def ingredients_are_valid(self) -> Self:
        require("together", self.together, self.ingredients)
        for name, changes in self.ingredients.items():
            try:
                self.changed([name])
            except ValidationError as error:
                raise ValueError(f"ingredients.{name}.{explain(error.errors()[0])}") from None
            if name in {"base", "together"} or not changes:
                raise ValueError(f"ingredients.{name}: needs a change and another name than base and together")
        self.changed(self.together)
        return self

    @property
    def variants(self) -> dict[str, System]:
        """The systems of the table by name: base, each ingredient, together."""
        each = {name: self.changed([name]) for name in self.ingredients}
        return {"base": self.base, **each, "together": self.changed(self.together)}

    def changed(self, names: Any) -> System:
        content = self.base.model_dump(exclude_unset=True)
        for name in names:
            content = merged(content, self.ingredients[name])
        return System.model_validate(content)


def merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with `changes`, blocks merged into blocks."""
    inner = {
        name: merged(content.get(name) or {}, value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return {**content, **inner}


class Evaluate(Settings):
    resamples: Count
    bootstrap_seed: Seed
    batch_size: Count


class Compare(Settings):
    pairs: Pairs


class Export(Settings):
    systems: Names
    calibration_faces: Count
    opset: Annotated[int, Field(ge=13, le=20)]  # 13 brought a scale a channel; torch's exporter ends at 20


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
    waiting: dict[str, System]
    ensemble: Ensemble
    search: Search
    ablation: Ablation
    recipes: dict[str, System]
    evaluate: Evaluate
    compare: Compare
    explain: Explain
    export: Export

    @property
    def every_system(self) -> dict[str, System]:
        """Those that run and those that wait."""
        return self.systems | self.waiting

    def not_run_on(self, dataset: str) -> tuple[str, ...]:
        """Those that wait, and those that run on other datasets alone."""
        return tuple(
            name for name, system in self.every_system.items() if name in self.waiting or dataset not in system.datasets
        )

    @property
    def searchable(self) -> dict[str, System]:
        """What one run trains: rows of the table but the ensemble's students, recipes, and the ablation's base."""
        every = self.systems | self.recipes | {ABLATION: self.ablation.base}
        return {name: system for name, system in every.items() if name not in self.ensemble.students}

    @model_validator(mode="after")
    def names_exist(self) -> Self:
        trained = (*self.train.systems, *self.distil.systems, *self.transfer.systems, *self.ensemble.students)
        require("dataset", (self.dataset,), self.datasets)
        require("train.systems", self.train.systems, self.systems)
        require("distil.systems", self.distil.systems, self.systems)
        require("transfer.systems", self.transfer.systems, self.systems)
        require("ensemble.students", self.ensemble.students, self.systems)
        candidates = [name for name in self.systems if name not in self.ensemble.students]
        require("ensemble.systems", self.ensemble.systems, candidates)
        require("ablation.datasets", self.ablation.datasets, self.datasets)
        if "ensemble" in self.systems:
            raise ValueError("systems.ensemble: the name is that of the ensemble of all systems")
        require("distil.teacher", (self.distil.teacher,), self.train.systems)
        require("compare.pairs", (name for pair in self.compare.pairs for name in pair), self.every_system)
        require("export.systems", self.export.systems, self.systems)
        require("explain.systems", self.explain.systems, self.systems)
        require("search.spaces", self.search.spaces, self.searchable)
        if twice := (self.recipes.keys() | {ABLATION}) & self.every_system.keys():
            raise ValueError(f"systems.{min(twice)}: the name is a recipe's or the ablation's")
        for name, dataset in self.datasets.items():
            require(f"datasets.{name}.publish", dataset.publish, self.systems)
            require(f"datasets.{name}.epochs", dataset.epochs, self.systems)
        if twice := set(self.waiting) & set(self.systems):
            raise ValueError(f"waiting.{min(twice)}: a system of that name stands in systems")
        for group, systems in {"systems": self.systems, "waiting": self.waiting}.items():
            for name, system in systems.items():
                require(f"{group}.{name}.datasets", system.datasets, self.datasets)
        for name, system in self.systems.items():
            if (system.weights is not None) != (name in self.transfer.systems):
                raise ValueError(f"systems.{name}.weights: systems of transfer.systems have them, and no others")
        for name in self.distil.systems:
            require(f"systems.{name}.datasets", self.systems[name].datasets, self.systems[self.distil.teacher].datasets)
        untrained = [name for name in self.systems if trained.count(name) != 1]
        if untrained:
            raise ValueError(
                f"systems.{untrained[0]}: must stand once in train.systems, distil.systems, transfer.systems "
                "or ensemble.students"
            )
        return self


def require(parameter: str, names: Any, allowed: Any) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{parameter}={name}: no such name; known: {', '.join(allowed)}")


def load_params(path: Path = PARAMS) -> Params:
    """With waiting.yaml beside it, where there is one. Raises ParamsError, a line for each wrong parameter."""
    content, waiting = read_yaml(path), path.with_name(WAITING)
    if not isinstance(content, dict) or "waiting" in content:
        raise ParamsError(f"{path}: a mapping without `waiting`, whose place is {WAITING}")
    try:
        return Params.model_validate({**content, "waiting": (read_yaml(waiting) if waiting.exists() else None) or {}})
    except ValidationError as error:
        lines = [explain(one) for one in error.errors()]
        files = [waiting if line.startswith("waiting") else path for line in lines]
        raise ParamsError("\n".join(f"{file}: {line}" for file, line in zip(files, lines, strict=True))) from None


def read_yaml(path: Path) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"{path}: {error.strerror}") from None
    except YAMLError as error:
        raise ParamsError(f"{path}: no valid YAML: {' '.join(str(error).split())}") from None


def explain(error: Any) -> str:
    """One line for one of pydantic's errors: the parameter's dotted name, its value, what it may be."""
    name = ".".join(str(part) for part in error["loc"] if str(part) not in UNION_BRANCHES and "[" not in str(part))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "no such parameter"
    elif error["type"] == "value_error":
        value = "" if isinstance(error["input"], dict) else f"{error['input']!r}: "  # a whole block is too much
        return f"{name}: {value}{message}" if name else message
    elif error["type"] == "missing":
        message = "not given"
    else:
        message = f"{error['input']!r}: {message[0].lower()}{message[1:]}"
    return f"{name}: {message}"
