"""params.yaml as validated, frozen settings.

A parameter is two or three calls from its use: params.yaml -> one of these objects -> an ordinary keyword argument.
An unknown key, a wrong type or a value out of range ends with a line that names the parameter and what it may be.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fer.config.errors import ParamsError, explain, problems, validated
from fer.config.run import Options, RunConfig, merged
from fer.config.settings import Count, Fraction, Names, Settings
from fer.constants import IMAGE_SIZE

PARAMS = Path("params.yaml")
OF_A_SYSTEM = ("seeds", "not_run")  # what a block may have beside a run's options
# Names in metrics/ and plots/.
RESERVED = ("ablation", "agreement", "data", "ensemble", "explain", "export", "search", "summary")

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
Pairs = Annotated[tuple[Annotated[tuple[str, str], Field(strict=False)], ...], Field(strict=False)]


class Draw(Settings):
    """The synthetic faces of a pipeline that draws its own."""

    faces: Annotated[int, Field(ge=100)]  # with fewer, the planted rows would outweigh them
    seed: Seed


class Clean(Settings):
    max_rejected: Fraction
    near_duplicate_correlation: Annotated[float, Field(gt=0, lt=1)]
    drop_leaked: bool


class Lists(Settings):
    """What runs: the systems of each stage, `systems` being all of them."""

    draw: Annotated[tuple[Literal["synthetic"], ...], Field(strict=False, max_length=1)]
    train: Names
    distil: dict[str, str]  # student: teacher
    transfer: dict[str, str]  # system: the file that it starts from
    systems: Names
    explain: Names
    export: Names
    ablation: Names


class Train(Settings):
    launcher: Annotated[str, AfterValidator(launches_python)]
    workers: Count | Literal["auto"]
    defaults: dict[str, Any]


class Predict(Settings):
    batch_size: Count
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Count


class Evaluate(Settings):
    resamples: Count  # bootstrap resamples behind each 95 % interval
    bootstrap_seed: Seed


class Ensemble(Settings):
    rounds: Count


class Explain(Settings):
    faces: Count  # of each emotion, at most
    shown: Count
    gallery: Count
    steps: Annotated[int, Field(ge=2, le=IMAGE_SIZE)]
    resamples: Count
    seed: Seed


class Export(Settings):
    calibration_faces: Count
    opset: Annotated[int, Field(ge=13, le=20)]  # 13 brought a scale a channel; torch's exporter ends at 20


class Report(Settings):
    pairs: Pairs  # systems tested against each other, seed by seed


class Ablation(Settings):
    """One system, and the changes of each variant of it by name."""

    base: str
    variants: dict[str, dict[str, Any]]


class Dimension(Settings):
    """What a searched parameter may be: a range, `log` in equal ratios, `whole` numbers; or one of some choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    choices: Annotated[tuple[str | int | float | bool, ...], Field(strict=False, min_length=1)] | None = None

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        ends = [end for end in (self.low, self.high) if end is not None]
        choices_and_more = self.choices and (ends or self.log or self.whole)
        if choices_and_more or (not self.choices and len(ends) < 2):
            raise ValueError("either low and high (log and whole are optional), or choices alone")
        if self.whole and not all(end.is_integer() for end in ends):
            raise ValueError("whole needs whole ends")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("low must be less than high")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("log needs a range above 0")
        return self


Space = Annotated[dict[str, Dimension], Field(min_length=1)]


class Search(Settings):
    """`python -m fer search`: the space, by a system's parameters (dotted below a block), and how trials end early."""

    space: Space
    spaces: dict[str, Space]  # of single systems, in place of `space`
    startup_trials: Count
    warm_up_epochs: Count
    seed: Seed

    def of(self, system: str) -> "Search":
        """Return the search of that system: its own space where it has one, and no other system's."""
        own = {name: space for name, space in self.spaces.items() if name == system}
        return self.model_copy(update={"space": own.get(system, self.space), "spaces": own})

    @property
    def varied(self) -> Space:
        """Return the space without what has one choice: that differs from the block, not between trials."""
        return {name: of for name, of in self.space.items() if of.choices is None or len(of.choices) > 1}


class Params(Settings):
    """The whole of params.yaml."""

    code: str
    seeds: Seeds
    run: Lists
    draw: Draw
    clean: Clean
    train: Train
    systems: dict[str, dict[str, Any]]
    predict: Predict
    evaluate: Evaluate
    ensemble: Ensemble
    explain: Explain
    export: Export
    report: Report
    ablation: Ablation
    search: Search

    def config(self, system: str) -> RunConfig:
        """Return what a run of the system is. Raise ParamsError, a line for each wrong option."""
        return self.run_of(f"systems.{system}.", self.systems[system])

    def variant(self, name: str) -> RunConfig:
        """Return a run of the ablation's base with a variant's changes. Raise ParamsError."""
        changes = self.ablation.variants[name]
        return self.run_of(f"ablation.variants.{name}.", merged(self.systems[self.ablation.base], changes))

    def run_of(self, place: str, block: Mapping[str, Any]) -> RunConfig:
        options = {name: value for name, value in block.items() if name not in OF_A_SYSTEM}
        config: RunConfig = validated(RunConfig, merged(self.train.defaults, options), place)
        return config

    def seeds_of(self, system: str) -> tuple[int, ...]:
        """Return the system's own seeds, else all."""
        return tuple(self.systems[system].get("seeds", self.seeds))

    @property
    def not_run(self) -> dict[str, str]:
        """The systems that no stage runs, and why."""
        return {name: block["not_run"] for name, block in self.systems.items() if name not in self.run.systems}

    @model_validator(mode="after")
    def names_exist(self) -> Self:
        run = self.run
        for group in ("train", "distil", "transfer", "systems"):
            require(f"run.{group}", getattr(run, group), self.systems)
        for group in ("explain", "export"):
            require(f"run.{group}", getattr(run, group), run.systems)
        require("run.distil", run.distil.values(), run.systems)
        require("run.ablation", run.ablation, self.ablation.variants)
        require("ablation.base", (self.ablation.base,), run.train if run.ablation else self.systems)
        require("report.pairs", (name for pair in self.report.pairs for name in pair), (*self.systems, "ensemble"))
        require("search.spaces", self.search.spaces, self.systems)
        if taken := [name for name in self.systems if name in RESERVED]:
            raise ValueError(f"systems.{taken[0]}: the name is taken; not allowed: {', '.join(RESERVED)}")
        for name in (*self.systems, *self.ablation.variants):
            if not re.fullmatch(r"[\w-]+", name):
                raise ValueError(f"{name!r}: a name has letters, digits, _ and - only: files are called by it")
        return self

    @model_validator(mode="after")
    def blocks_are_runs(self) -> Self:
        lines = problems(validated, Options, self.train.defaults, "train.defaults.")
        for name, block in () if lines else self.systems.items():
            lines += problems(validated, Seeds, block.get("seeds", self.seeds), f"systems.{name}.seeds.")
            lines += problems(self.config, name)
        for name in () if lines else self.ablation.variants:
            lines += problems(self.variant, name)
        if lines:
            raise ValueError("\n".join(lines))
        return self

    @model_validator(mode="after")
    def lists_fit(self) -> Self:
        """A system that runs stands in one list and in `systems`; one that does not says why."""
        run = self.run
        trained = [*run.train, *run.distil, *run.transfer]
        for name in dict.fromkeys((*trained, *run.systems)):
            if trained.count(name) != 1 or run.systems.count(name) != 1:
                raise ValueError(f"run: {name} must stand once in train, distil or transfer, and once in systems")
        for name, block in self.systems.items():
            if name not in run.systems and not isinstance(block.get("not_run"), str):
                raise ValueError(f"systems.{name}.not_run: in no list of `run`, so it needs the reason why")
            if name in run.systems and "not_run" in block:
                raise ValueError(f"systems.{name}.not_run: it runs (run.systems); take one of the two away")
        for student, teacher in run.distil.items():
            missing = set(self.seeds_of(student)) - set(self.seeds_of(teacher))
            if missing and self.config(student).distil.teachers == "seed":
                raise ValueError(f"systems.{student}.seeds: its teacher {teacher} has no seed {min(missing)}")
        for name in run.systems:
            given = self.config(name).transfer.pretrained_on
            if name in run.transfer and given is None:
                raise ValueError(f"systems.{name}.transfer.pretrained_on: not given; run.transfer names its weights")
            if name not in run.transfer and given is not None:
                raise ValueError(f"systems.{name}.transfer.pretrained_on={given}: run.transfer must name its weights")
        return self

    @model_validator(mode="after")
    def searched_parameters_exist(self) -> Self:
        options = {name: dotted(self.config(name).model_dump()) for name in self.systems}
        require("search.space", self.search.space, dict.fromkeys(one for names in options.values() for one in names))
        for name, space in self.search.spaces.items():
            require(f"search.spaces.{name}", space, options[name])
        return self


def require(parameter: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    allowed = list(allowed)
    for name in names:
        if name not in allowed:
            raise ValueError(f"{parameter}: {name!r}: allowed: {', '.join(allowed)}")


def dotted(block: Mapping[str, Any], prefix: str = "") -> list[str]:
    """{a: {b: 1}} to [a.b]."""
    parts = [
        dotted(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [prefix + name]
        for name, value in block.items()
    ]
    return [name for part in parts for name in part]


def load_params(path: Path = PARAMS) -> Params:
    """Raise ParamsError, a line for each wrong parameter, or for a folder without the file."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected a mapping")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {line}" for line in explain(error))) from None


def read_yaml(path: Path) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(
            f"{path.absolute()}: not there; run this in a pipeline's folder (the root, or demo/)"
        ) from None
    except OSError as error:
        raise ParamsError(f"{path}: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: no valid YAML: {' '.join(str(error).split())}") from None
