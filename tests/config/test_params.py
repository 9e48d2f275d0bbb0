"""params.yaml: as committed it is valid; a wrong value ends with a line that names it and what it may be."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from fer.config.errors import ParamsError
from fer.config.params import PARAMS, load_params
from fer.config.run import Options, RunConfig

ROOT = Path(__file__).parents[2]
RUN = ["cs231n_baseline", "tuwani"]
PIPELINES = [ROOT / PARAMS, ROOT / "demo" / PARAMS]


def changed(folder: Path, changes: dict[str, Any]) -> Path:
    """The root's params.yaml, with few systems that run and other values of some parameters, by their dotted names.

    ... takes a parameter away.
    """
    content = YAML(typ="safe", pure=True).load((ROOT / PARAMS).read_text())
    content["run"] |= {"train": RUN, "distil": {}, "transfer": {}, "systems": RUN}
    content["run"] |= {"explain": [], "export": [], "ablation": []}
    for name, block in content["systems"].items():
        if name in RUN:
            block.pop("not_run", None)
        else:
            block.setdefault("not_run", "not in this test")
    content["systems"]["tuwani"]["seeds"] = [0]
    for dotted, value in changes.items():
        *parents, name = dotted.split(".")
        block = content
        for parent in parents:
            block = block[parent]
        block[name] = value
        if value is ...:
            del block[name]
    path = folder / PARAMS
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(content, file)
    return path


def error_of(folder: Path, changes: dict[str, Any]) -> str:
    with pytest.raises(ParamsError) as error:
        load_params(changed(folder, changes))
    return str(error.value).replace(f"{folder / PARAMS}: ", "")


@pytest.mark.parametrize("path", PIPELINES, ids=["root", "demo"])
def test_a_committed_file_is_valid_and_gives_every_option(path: Path) -> None:
    params = load_params(path)
    assert set(params.train.defaults) == set(RunConfig.model_fields) - {"network"} == set(Options.model_fields)
    assert set(params.systems) == set(params.run.systems) | set(params.not_run)


@pytest.mark.parametrize("path", PIPELINES, ids=["root", "demo"])
def test_a_value_set_as_dvc_sets_it_changes_one_line(path: Path, tmp_path: Path) -> None:
    """`dvc exp run -S` writes the file anew: in another form than its own, every line would change."""
    copy = Path(shutil.copy(path, tmp_path))
    apply_overrides(copy, ["train.defaults.lr=0.5"])
    pairs = zip(path.read_text().splitlines(), copy.read_text().splitlines(), strict=True)
    assert [new.split()[:2] for line, new in pairs if new != line] == [["lr:", "0.5"]]
    apply_overrides(copy, ["train.defaults.lr=0.001"])
    assert copy.read_bytes() == path.read_bytes()


def test_a_block_says_what_differs_from_the_defaults() -> None:
    params = load_params(ROOT / PARAMS)
    config = params.config("cs231n_baseline")
    assert (config.lr, config.augment.flip, config.augment.fill, config.network.type) == (
        0.0003,
        True,
        "border",
        "stack",
    )
    assert params.seeds_of("cs231n_baseline") == params.seeds
    assert params.not_run["vgg11_frozen"] == "needs torchvision's weights (docs/pretrained.md)"


def test_a_variant_changes_its_own_options_of_the_base_alone() -> None:
    params = load_params(ROOT / PARAMS)
    base = params.config(params.ablation.base)
    for name, changes in params.ablation.variants.items():
        variant = params.variant(name)
        differing = {field for field in RunConfig.model_fields if getattr(variant, field) != getattr(base, field)}
        assert differing == set(changes), name
    assert params.variant("squeeze_excitation").network.model_dump() == base.network.model_dump() | {
        "squeeze_excitation": True
    }
    assert params.variant("no_ema").ema is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("systems.cs231n.lr", -1, "systems.cs231n.lr: -1: input should be greater than 0"),
        ("systems.cs231n.lr", "fast", "systems.cs231n.lr: 'fast': input should be a valid number"),
        ("systems.cs231n.lr", "0.1", "systems.cs231n.lr: '0.1': input should be a valid number"),
        ("systems.cs231n.lr", {"low": 1}, "systems.cs231n.lr: {'low': 1}: input should be a valid number"),
        ("systems.cs231n.lr", float("nan"), "systems.cs231n.lr: nan: input should be a finite number"),
        ("systems.cs231n.epochs", 1.5, "systems.cs231n.epochs: 1.5: input should be a valid integer"),
        ("systems.cs231n.epochs", True, "systems.cs231n.epochs: True: input should be a valid integer"),
        ("systems.cs231n.learnin_rate", 0.1, "systems.cs231n.learnin_rate: no such parameter"),
        ("systems.cs231n.augment.rotatoin", 1.0, "systems.cs231n.augment.rotatoin: no such parameter"),
        ("systems.cs231n.augment", 3, "systems.cs231n.augment: 3: must be a block of parameters"),
        ("systems.cs231n", None, "systems.cs231n: None: must be a block of parameters"),
        ("systems.cs231n.optimizer", "lion", "systems.cs231n.optimizer: 'lion': input should be 'adam', 'sgd', "),
        ("systems.cs231n.augment", {"rotation": 200.0}, "systems.cs231n.augment.rotation: 200.0"),
        ("systems.cs231n.augment", {"crop": 48}, "systems.cs231n.augment.crop: 48"),
        ("systems.cs231n.input_size", 12, "systems.cs231n.input_size: 12"),
        (
            "systems.cs231n.schedule",
            {"shape": "cosine"},
            "systems.cs231n: schedule: decides every step's rate; lr_decay",
        ),
        ("systems.cs231n.tta", "ten_crop", "systems.cs231n: tta: ten_crop needs augment.crop"),
        ("systems.cs231n.seeds", [], "systems.cs231n.seeds: []: at least one is needed"),
        ("systems.cs231n.seeds", None, "systems.cs231n.seeds: None: must be a list"),
        ("systems.cs231n.seeds", [0, 0], "systems.cs231n.seeds: [0, 0]: a seed stands there twice"),
        ("systems.cs231n.seeds", [-1], "systems.cs231n.seeds.0: -1: input should be greater than or equal to 0"),
        ("seeds", [], "seeds: []: at least one is needed"),
        ("train.defaults.lr", -1, "train.defaults.lr: -1: input should be greater than 0"),
        ("train.defaults.lr", ..., "train.defaults.lr: not given"),
        ("train.defaults.augment.fill", ..., "train.defaults.augment.fill: not given"),
        ("train.defaults.extra", 1, "train.defaults.extra: no such parameter"),
        ("train.workers", 0, "train.workers: 0"),
        ("train.launcher", "torchrun; true", "train.launcher: 'torchrun; true': allowed: python, or torchrun"),
        ("report.pairs", [["cs231n", "x"]], "report.pairs: 'x': allowed: cs231n, "),
        ("extra", 1, "extra: no such parameter"),
        ("clean", ..., "clean: not given"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, name: str, value: Any, message: str) -> None:
    error = error_of(tmp_path, {name: value})
    assert error.startswith(message)
    assert "\n" not in error or name == "train.workers"  # pydantic's two lines for one of two kinds


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("type", "transformer", "network.type: 'transformer': allowed: stack, conv_pairs, vgg, resnet, backbone"),
        ("type", ..., "network.type: not given; allowed: stack, "),
        ("kernel", 5, "network.kernel: no such parameter"),
        ("kernels", [3, 4, 3, 3], "network: kernels: odd sides, so that a convolution keeps its input's size"),
        ("kernels", [5, 5], "network: kernels: one for each of the 4 filters, got 2"),
        ("kernels", [3, 0, 3, 3], "network.kernels.1: 0: input should be greater than or equal to 1"),
        ("hidden", 200, "network.hidden: 200: must be a list"),
        ("filters", [], "network.filters: []: at least one is needed"),
        ("pooling", ..., "network.pooling: not given"),
        ("dropout", 1.0, "network.dropout: 1.0: input should be less than 1"),
    ],
)
def test_a_wrong_field_of_a_network_is_named(tmp_path: Path, name: str, value: Any, message: str) -> None:
    assert error_of(tmp_path, {f"systems.cs231n.network.{name}": value}).startswith(f"systems.cs231n.{message}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"run.train": ["cs231n_baseline"]},
            "run: tuwani must stand once in train, distil or transfer",
        ),
        ({"run.train": ["cs231n_baseline", "tuwani", "tuwani"]}, "run: tuwani must stand once in train"),
        ({"run.train": ["cs231n_baseline", "tuwani", "cs132n"]}, "run.train: 'cs132n': allowed: cs231n, "),
        ({"run.systems": ["cs231n_baseline"]}, "run: tuwani must stand once in"),
        ({"run.systems": ["cs231n_baseline", "tuwani", "cs231n"]}, "run: cs231n must stand once in"),
        ({"run.explain": ["cs231n"]}, "run.explain: 'cs231n': allowed: cs231n_baseline, tuwani"),
        ({"run.ablation": ["smm"]}, "run.ablation: 'smm': allowed: cosine, "),
        ({"run.ablation": ["sam"]}, "ablation.base: 'flagship_small': allowed: cs231n_baseline, tuwani"),
        ({"run.draw": ["photographs"]}, "run.draw.0: 'photographs': input should be 'synthetic'"),
        ({"systems.cs231n.not_run": ...}, "systems.cs231n.not_run: in no list of `run`, so it needs the reason why"),
        ({"systems.tuwani.not_run": "why"}, "systems.tuwani.not_run: it runs (run.systems); take one of the two away"),
        ({"systems.summary": {}}, "systems.summary: the name is taken; not allowed: ablation, "),
        ({"systems.a b": {}}, "'a b': a name has letters, digits, _ and - only"),
        ({"run.distil": {"cs231n_student": "cs231n"}}, "run.distil: 'cs231n': allowed: cs231n_baseline, tuwani"),
    ],
)
def test_a_list_of_what_runs_that_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert error_of(tmp_path, changes).startswith(message)


def running(list_: str, system: str, value: str) -> dict[str, Any]:
    return {
        f"run.{list_}": {system: value},
        "run.systems": ["cs231n_baseline", "tuwani", system],
        f"systems.{system}.not_run": ...,
    }


def test_a_student_has_no_seed_that_its_teacher_lacks(tmp_path: Path) -> None:
    student = running("distil", "cs231n_student", "tuwani")
    seeds = {"systems.cs231n_student.seeds": [0, 1], "systems.tuwani.seeds": [0]}
    assert error_of(tmp_path, student | seeds) == "systems.cs231n_student.seeds: its teacher tuwani has no seed 1"
    params = load_params(changed(tmp_path, student | {"systems.cs231n_student.seeds": [0]}))
    assert params.run.distil == {"cs231n_student": "tuwani"}
    assert "cs231n_student" not in params.not_run


def test_a_system_with_weights_says_what_they_were_trained_on(tmp_path: Path) -> None:
    transfer = running("transfer", "vgg16_frozen", "data/weights/vgg16.pth")
    assert load_params(changed(tmp_path, transfer)).run.transfer == {"vgg16_frozen": "data/weights/vgg16.pth"}
    untold = transfer | {"systems.vgg16_frozen.transfer.pretrained_on": None}
    assert error_of(tmp_path, untold).startswith("systems.vgg16_frozen.transfer.pretrained_on: not given")


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"sam": -1.0}, "sam: -1.0: input should be greater than 0"),
        ({"flipp": True}, "flipp: no such parameter"),
        ({"augment": {"crop": 90}}, "augment.crop: 90: input should be less than 48"),
        ({"network": {"kernels": [3]}}, "network.kernels: no such parameter"),
        ({"lr_decay": 0.9}, "schedule: decides every step's rate"),
    ],
)
def test_a_variant_that_is_no_run_is_named(tmp_path: Path, variant: dict[str, Any], message: str) -> None:
    assert message in error_of(tmp_path, {"ablation.variants.sam": variant}).removeprefix("ablation.variants.sam")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("space", {}, "space: {}: at least one is needed"),
        ("space.l2", {"low": 0.1, "high": 1.0}, "space: 'l2': allowed: input_size, "),
        ("space", {"augment.shft": {"low": 0.1, "high": 1.0}}, "space: 'augment.shft': allowed: "),
        ("space.lr", {"low": 1.0, "high": 0.1}, "space.lr: low must be less than high"),
        ("space.lr", {"low": 0.0, "high": 0.1, "log": True}, "space.lr: log needs a range above 0"),
        ("space.lr", {"low": 0.0}, "space.lr: either low and high (log and whole are optional), or"),
        ("space.lr", {"low": 0.1, "choices": [0.1, 0.2]}, "space.lr: either low and high"),
        ("space.lr", {"whole": True, "choices": [0.1, 0.2]}, "space.lr: either low and high"),
        ("space.epochs", {"low": 0.2, "high": 0.4, "whole": True}, "space.epochs: whole needs whole ends"),
        ("spaces.cs231n", {"network.width": {"choices": [0.5, 1.0]}}, "spaces.cs231n: 'network.width': allowed: "),
        ("spaces.cs132n", {"lr": {"low": 0.1, "high": 1.0}}, "spaces: 'cs132n': allowed: cs231n, "),
    ],
)
def test_a_wrong_search_space_is_named(tmp_path: Path, name: str, value: Any, message: str) -> None:
    assert error_of(tmp_path, {f"search.{name}": value}).startswith(f"search.{message}")


def test_every_wrong_parameter_has_its_line(tmp_path: Path) -> None:
    error = error_of(tmp_path, {"systems.cs231n.lr": -1, "systems.tuwani.epochs": 0, "systems.tuwani.seeds": 3})
    assert [line.split(": ")[0] for line in error.splitlines()] == [
        "systems.cs231n.lr", "systems.tuwani.seeds", "systems.tuwani.epochs",
    ]  # fmt: skip


def test_a_rate_as_dvc_writes_it(tmp_path: Path) -> None:
    """`-S x=1e-5` comes back as 1e-05, which YAML 1.1 takes for text."""
    path = tmp_path / PARAMS
    path.write_text((ROOT / PARAMS).read_text().replace("lr: 0.00127", "lr: 1e-05"))
    assert load_params(path).config("cs231n").lr == 1e-5


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (Path.exists, "not there; run this in a pipeline's folder"),
        (lambda path: path.write_text("seeds: ["), "no valid YAML"),
        (lambda path: path.write_text("seeds: [0]\nseeds: [1]\n"), "no valid YAML: .*seeds"),
        (lambda path: path.write_bytes(b"seeds: \xff"), "no valid YAML"),
        (lambda path: path.write_text(""), "expected a mapping"),
    ],
)
def test_no_file_and_no_yaml(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    write(tmp_path / PARAMS)
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / PARAMS)
