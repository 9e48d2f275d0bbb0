"""params.yaml as validated, frozen settings.

A parameter takes two hops: params.yaml -> one of these objects -> an ordinary keyword argument.
An unknown key, a wrong type or a value out of range ends with a line that names the parameter and what it may be.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fer.emotions import IMAGE_SIZE
from fer.errors import UserError
from fer.recipe import Count, Fraction, Names, Positive, Recipe, Settings, System, merged

PARAMS = Path("params.yaml")
ABLATION = "ablation"  # the name that the ablation's base has for a search
WAITING = "waiting.yaml"  # beside it: the systems that are not run yet
UNION_BRANCHES = {"constrained-int", "int", "float", "str"}  # pydantic names them in an error's place

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


Seeds = Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), AfterValidator(distinct)]
Launcher = Annotated[str, AfterValidator(launches_python)]
Pairs = Annotated[tuple[Annotated[tuple[str, str], Field(strict=False)], ...], Field(strict=False)]


class ParamsError(UserError):
    """params.yaml holds something that it may not hold; the message names each parameter."""


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
    spaces: dict[str, dict[str, Dimension]] = Field(default_factory=dict)  # of single systems, in place of `space`
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
        require("dataset", (self.dataset,), self.datasets)
        for group in ("train", "distil", "transfer", "export", "explain"):
            require(f"{group}.systems", getattr(self, group).systems, self.systems)
        require("ensemble.students", self.ensemble.students, self.systems)
        candidates = [name for name in self.systems if name not in self.ensemble.students]
        require("ensemble.systems", self.ensemble.systems, candidates)
        require("ablation.datasets", self.ablation.datasets, self.datasets)
        require("distil.teacher", (self.distil.teacher,), self.train.systems)
        require("compare.pairs", (name for pair in self.compare.pairs for name in pair), self.every_system)
        require("search.spaces", self.search.spaces, self.searchable)
        for name, dataset in self.datasets.items():
            require(f"datasets.{name}.publish", dataset.publish, self.systems)
            require(f"datasets.{name}.epochs", dataset.epochs, self.systems)
        for group, systems in {"systems": self.systems, "waiting": self.waiting}.items():
            for name, system in systems.items():
                require(f"{group}.{name}.datasets", system.datasets, self.datasets)
        return self

    @model_validator(mode="after")
    def names_stand_once(self) -> Self:
        if "ensemble" in self.systems:
            raise ValueError("systems.ensemble: the name is that of the ensemble of all systems")
        if twice := (self.recipes.keys() | {ABLATION}) & self.every_system.keys():
            raise ValueError(f"systems.{min(twice)}: the name is a recipe's or the ablation's")
        if twice := set(self.waiting) & set(self.systems):
            raise ValueError(f"waiting.{min(twice)}: a system of that name stands in systems")
        trained = (*self.train.systems, *self.distil.systems, *self.transfer.systems, *self.ensemble.students)
        if untrained := [name for name in self.systems if trained.count(name) != 1]:
            raise ValueError(
                f"systems.{untrained[0]}: must stand once in train.systems, distil.systems, transfer.systems "
                "or ensemble.students"
            )
        return self

    @model_validator(mode="after")
    def systems_fit_their_stage(self) -> Self:
        for name, system in self.systems.items():
            if (system.weights is not None) != (name in self.transfer.systems):
                raise ValueError(f"systems.{name}.weights: systems of transfer.systems have them, and no others")
        for name in self.distil.systems:
            require(f"systems.{name}.datasets", self.systems[name].datasets, self.systems[self.distil.teacher].datasets)
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
