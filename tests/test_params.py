"""params.yaml: as committed it is valid; a wrong value ends with a line that names it and what it may be."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fer.params import PARAMS, WAITING, ParamsError, load_params
from fer.recipe import Augment, Recipe, System

ROOT = Path(__file__).parent.parent


def changed(folder: Path, dotted: str, value: Any) -> Path:
    """The committed params.yaml with one value set, as `dvc exp run -S` writes it."""
    content = YAML(typ="safe", pure=True).load((ROOT / PARAMS).read_text())
    *parents, name = dotted.split(".")
    block = content
    for parent in parents:
        block = block[parent]
    block[name] = value
    path = folder / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(content, file)
    shutil.copy(ROOT / WAITING, folder)
    return path


def test_the_committed_file_is_valid() -> None:
    params = load_params(ROOT / PARAMS)
    assert params.dataset == "synthetic"
    assert params.systems["cs231n"].learning_rate == 0.00127


def test_a_datasets_caps_reach_the_recipe_and_a_network_keeps_what_it_needs() -> None:
    system = load_params(ROOT / PARAMS).systems["face_inception_frozen"]
    whole = system.recipe(max_epochs=None, max_input_size=None, smallest=75)
    assert (whole.epochs, whole.input_size) == (system.epochs, 112)
    short = system.recipe(max_epochs=3, max_input_size=48, smallest=75)
    assert (short.epochs, short.input_size) == (3, 75)


def test_a_systems_own_cap_stands_before_the_datasets() -> None:
    synthetic = load_params(ROOT / PARAMS).datasets["synthetic"]
    assert synthetic.epochs_of("cs231n") == synthetic.max_epochs
    assert synthetic.epochs_of("tuwani") == synthetic.epochs["tuwani"]


def test_the_networks_side_is_the_crop_unless_it_is_scaled() -> None:
    recipe = load_params(ROOT / PARAMS).systems["cs231n"]
    for crop, size, side in ((None, 48, 48), (44, 48, 44), (44, 64, 64), (None, 24, 24)):
        assert recipe.model_copy(update={"augment": Augment(crop=crop), "input_size": size}).side == side


def test_an_ingredient_changes_its_own_parameters_alone() -> None:
    ablation = load_params(ROOT / PARAMS).ablation
    assert ablation.variants["base"] == ablation.base
    for name, changes in ablation.ingredients.items():
        variant = ablation.variants[name]
        changed = {field for field in System.model_fields if getattr(variant, field) != getattr(ablation.base, field)}
        assert changed == set(changes), name
    assert ablation.variants["squeeze_excitation"].layers.width == ablation.base.layers.width
    assert ablation.variants["together"].augment.model_dump(exclude_defaults=True).keys() >= {"rotation", "crop"}


def test_options_that_are_off_do_not_count_as_given() -> None:
    """A run is keyed by what is given: an option that is added later must not make finished runs stale."""
    systems = load_params(ROOT / PARAMS).every_system
    plain = systems["cs231n"].recipe(max_epochs=None, max_input_size=None, smallest=48)
    assert set(plain.given) == {name for name, field in Recipe.model_fields.items() if field.is_required()}
    assert systems["tuwani_augmented"].given["augment"] == {"rotation": 40.0, "shift": 0.2, "shear": 0.2}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("systems.cs231n.learning_rate", -1, "systems.cs231n.learning_rate: -1: input should be greater than 0"),
        (
            "systems.cs231n.learning_rate",
            "fast",
            "systems.cs231n.learning_rate: 'fast': input should be a valid number",
        ),
        ("systems.cs231n.learning_rate", "0.1", "systems.cs231n.learning_rate: '0.1': input should be a valid number"),
        ("systems.cs231n.learning_rate", float("nan"), "systems.cs231n.learning_rate: nan"),
        ("systems.cs231n.epochs", 1.5, "systems.cs231n.epochs: 1.5"),
        ("systems.cs231n.epochs", True, "systems.cs231n.epochs: True"),
        ("systems.cs231n.learnin_rate", 0.1, "systems.cs231n.learnin_rate: no such parameter"),
        ("systems.cs231n.optimiser", "lion", "systems.cs231n.optimiser: 'lion': input should be 'adam', 'sgd', "),
        ("systems.cs231n.datasets", ["kaggle"], "systems.cs231n.datasets=kaggle: no such name; known: "),
        ("systems.cs231n.datasets", [], "systems.cs231n_student.datasets=synthetic: no such name"),
        ("distil.teacher", "resnet", "distil.teacher=resnet: no such name; known: cs231n_baseline, "),
        ("distil.alpha", 1.5, "distil.alpha: 1.5: input should be less than or equal to 1"),
        ("train.systems", ["cs231n"], "systems.cs231n_baseline: must stand once in "),
        ("train.workers", 0, "train.workers: 0"),
        ("train.launcher", "torchrun; true", "train.launcher: 'torchrun; true': allowed: python, or torchrun"),
        ("systems.cs231n.augment", {"rotation": 200.0}, "systems.cs231n.augment.rotation: 200.0"),
        ("systems.cs231n.layers", {"dropout": 1.0}, "systems.cs231n.layers.dropout: 1.0"),
        ("systems.cs231n.weights", "vgg16_imagenet", "systems.cs231n.weights: systems of transfer.systems have them"),
        ("systems.vgg16_frozen.weights", None, "systems.vgg16_frozen.weights: systems of transfer.systems have them"),
        ("systems.cs231n.input_size", 12, "systems.cs231n.input_size: 12"),
        ("systems.cs231n.schedule", {"shape": "cosine"}, "systems.cs231n: schedule: decides every step's rate"),
        ("systems.cs231n.views", "ten_crop", "systems.cs231n: views: ten_crop needs augment.crop"),
        ("systems.cs231n.augment", {"crop": 48}, "systems.cs231n.augment.crop: 48"),
        ("dataset", "ferplus", "dataset=ferplus: no such name; known: "),
        ("datasets.synthetic.seeds", [], "datasets.synthetic.seeds"),
        ("datasets.synthetic.seeds", [0, 0], "datasets.synthetic.seeds: [0, 0]: a seed stands there twice"),
        ("datasets.synthetic.epochs", {"resnet": 3}, "datasets.synthetic.epochs=resnet: no such name; known: "),
        ("compare.pairs", [["cs231n", "x"]], "compare.pairs=x: no such name"),
        ("ensemble.students", ["x"], "ensemble.students=x: no such name"),
        (
            "ensemble.systems",
            ["flagship_student"],
            "ensemble.systems=flagship_student: no such name; known: cs231n",
        ),
        ("search.space", {"learnin_rate": {"low": 0.1, "high": 1.0}}, "search: space=learnin_rate: no such name"),
        ("search.spaces.cs231n", {"l3": {"low": 0.1, "high": 1.0}}, "search: spaces.cs231n=l3: no such name"),
        ("search.spaces.cs132n", {"l2": {"low": 0.1, "high": 1.0}}, "search.spaces=cs132n: no such name"),
        ("search.space.l2", {"low": 1.0, "high": 0.1}, "search.space.l2: low must be less than high"),
        ("search.space.l2", {"low": 0.0, "high": 0.1, "log": True}, "search.space.l2: log needs a range above 0"),
        ("search.space.l2", {"low": 0.0}, "search.space.l2: either low and high or choices"),
        ("ablation.ingredients.flip", {"flipp": True}, "ablation: ingredients.flip.flipp: no such parameter"),
        ("ablation.ingredients.crop", {"augment": {"crop": 90}}, "ablation: ingredients.crop.augment.crop: 90"),
        ("ablation.together", ["flop"], "ablation: together=flop: no such name"),
        ("extra", 1, "extra: no such parameter"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, name: str, value: Any, message: str) -> None:
    with pytest.raises(ParamsError) as error:
        load_params(changed(tmp_path, name, value))
    assert message in str(error.value)


def test_a_learning_rate_as_dvc_writes_it(tmp_path: Path) -> None:
    """`-S x=1e-5` comes back as 1e-05, which YAML 1.1 takes for text."""
    path = tmp_path / "params.yaml"
    text = (ROOT / PARAMS).read_text()
    path.write_text(text.replace("learning_rate: 0.00127", "learning_rate: 1e-05"))
    shutil.copy(ROOT / WAITING, tmp_path)
    assert load_params(path).systems["cs231n"].learning_rate == 1e-5


def test_no_file_and_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="No such file"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("dataset: [")
    with pytest.raises(ParamsError, match="no valid YAML"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(ParamsError):
        load_params(tmp_path / "params.yaml")


def test_a_waiting_system_is_named_with_its_file(tmp_path: Path) -> None:
    path = changed(tmp_path, "dataset", "synthetic")
    text = (ROOT / WAITING).read_text()
    (tmp_path / WAITING).write_text(re.sub(r"epochs: \d+", "epochs: 0", text, count=1))
    with pytest.raises(ParamsError, match=r"waiting\.yaml: waiting\.\w+\.epochs: 0: input should be greater"):
        load_params(path)
    block = re.split(r"^\w+:", text, flags=re.MULTILINE)[1]
    (tmp_path / WAITING).write_text(f"{text}cs231n:{block}")
    with pytest.raises(ParamsError, match=r"waiting\.yaml: waiting\.cs231n: a system of that name stands in systems"):
        load_params(path)


def test_waiting_has_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / PARAMS
    path.write_text((ROOT / PARAMS).read_text() + "waiting: {}\n")
    with pytest.raises(ParamsError, match=r"waiting\.yaml"):
        load_params(path)


def test_what_a_dataset_does_not_run() -> None:
    params = load_params(ROOT / PARAMS)
    not_run = params.not_run_on("synthetic")
    assert set(params.waiting) < set(not_run)
    assert "vgg16_frozen" in not_run
    assert "cs231n" not in not_run
