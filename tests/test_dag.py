"""dvc.yaml beside the code: each stage depends on what its script runs through."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fer import code
from fer.code import OF_STAGE, ROOT, code_of, require_candidates, transitive_imports
from fer.errors import UserError
from fer.params import Params, load_params
from fer.training.job import Job
from stages.check import write_systems

STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
CHECKED = "data/checked/${item.dataset}"
PARAMS = load_params(ROOT / "params.yaml")
ON_FER2013 = {name for name, system in PARAMS.systems.items() if "fer2013" in system.datasets}
SEVERAL_SEEDS = {name for name in ON_FER2013 if (PARAMS.systems[name].max_seeds or 3) >= 3}


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "check"])
def test_every_stage_depends_on_its_own_code_and_check_writes_it(stage: str) -> None:
    assert f" -m stages.{stage} " in STAGES[stage]["cmd"]
    assert f"{CHECKED}/code/{stage}.txt" in STAGES[stage]["deps"]
    assert stage in STAGES["check"]["cmd"].split("--stages ")[1].split(",")


def test_check_runs_when_any_code_or_parameter_changes() -> None:
    assert {"fer", "stages", "waiting.yaml"} <= set(STAGES["check"]["deps"])
    assert set(STAGES["check"]["params"]) == set(Params.model_fields) - {"dataset", "waiting"}


@pytest.mark.parametrize("stage", OF_STAGE)
def test_what_leaves_the_table_out_has_its_own_row_as_text(stage: str) -> None:
    name = "ablation" if stage.startswith("ablation") else "${item.system}"
    assert f"{CHECKED}/networks/{name}.txt" in STAGES[stage]["deps"]


@pytest.mark.parametrize("stage", ["train", "distil", "transfer", "distil_ensemble", "ablation"])
def test_what_trains_depends_on_what_its_runs_are_told(stage: str) -> None:
    name = "ablation" if stage == "ablation" else "${item.system}"
    assert f"{CHECKED}/runs/{name}.json" in STAGES[stage]["deps"]


@pytest.mark.parametrize("stage", ["evaluate", "ablation_table"])
def test_what_measures_depends_on_what_it_is_told(stage: str) -> None:
    assert f"{CHECKED}/evaluation.json" in STAGES[stage]["deps"]


def test_a_run_is_told_nothing_that_its_stage_does_not_depend_on() -> None:
    in_runs = {"model", "recipe", "device", "precision", "threads", "seed", "pretrained", "teacher"}
    dependencies = {"dataset", "system", "store", "out"}  # or in the command
    assert {field.name for field in fields(Job)} == in_runs | dependencies


@pytest.mark.parametrize(
    ("group", "name", "value", "systems"),
    [
        ("systems", "tuwani", PARAMS.systems["tuwani"].changed({"l2": 1e-9}), {"tuwani"}),  # from 0: no digit is lost
        ("datasets", "fer2013", {"epochs": {"tuwani": 3}}, {"tuwani"}),
        ("datasets", "fer2013", {"seeds": (0, 1, 2, 3)}, SEVERAL_SEEDS),
        ("datasets", "fer2013", {"threads": 2}, ON_FER2013),
        ("datasets", "fer2013", {"weights": "optional"}, ON_FER2013 & set(PARAMS.transfer.systems)),
        ("datasets", "synthetic", {"threads": 1, "max_epochs": 1}, set()),
        ("distil", "alpha", 0.1, set(PARAMS.distil.systems)),
        ("ensemble", "temperature", 3.0, set(PARAMS.ensemble.students)),
        ("train", "device", "cuda", ON_FER2013),
        ("train", "precision", "float32", ON_FER2013),
        ("train", "workers", 1, set()),
        ("transfer", "weights_dir", "elsewhere", ON_FER2013 & set(PARAMS.transfer.systems)),
        ("evaluate", "resamples", 5, set()),
    ],
)
def test_a_parameter_reaches_the_runs_that_it_changes_and_no_other(
    tmp_path: Path, group: str, name: str, value: Any, systems: set[str]
) -> None:
    def written(params: Params, place: str) -> dict[str, str]:
        write_systems(params, "fer2013", tmp_path / place)
        return {path.stem: path.read_text() for path in (tmp_path / place / "runs").iterdir()}

    block = getattr(PARAMS, group)
    if isinstance(value, dict):
        value = block[name].model_copy(update=value)
    changed = {**block, name: value} if isinstance(block, dict) else block.model_copy(update={name: value})
    before, after = written(PARAMS, "before"), written(PARAMS.model_copy(update={group: changed}), "after")
    stale = {stem for stem in before if after[stem] != before[stem]}
    assert stale - {"ablation"} == systems
    assert ("ablation" in stale) == (systems >= SEVERAL_SEEDS)


def test_the_ensembles_candidates_are_the_same_in_both_files() -> None:
    require_candidates(PARAMS.ensemble.systems, ROOT / "dvc.yaml")
    assert set(PARAMS.ensemble.systems) == set(PARAMS.systems) - set(PARAMS.ensemble.students)
    with pytest.raises(UserError, match=r"tuwani: stands in ensemble\.systems of params\.yaml or in the deps of"):
        require_candidates([name for name in PARAMS.ensemble.systems if name != "tuwani"], ROOT / "dvc.yaml")


def test_imports_are_followed_wherever_they_stand(tmp_path: Path) -> None:
    files = {
        "stages/run.py": "from fer.a import thing\nimport numpy\ndef main():\n    from fer.deep import late\n",
        "fer/a.py": "import fer.b\n",
        "fer/b.py": "from fer import c\n",
        "fer/c.py": "",
        "fer/deep/__init__.py": "",
        "fer/deep/late.py": "import fer.a\n",
        "fer/unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert transitive_imports(tmp_path / "stages" / "run.py", tmp_path) == set(files) - {"fer/unused.py"}


def test_a_change_reaches_the_stages_that_run_it_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashes(changed: str | None) -> dict[str, str]:
        monkeypatch.setattr(code, "sha256_of", lambda path: "new" if str(path).endswith(str(changed)) else "old")
        return {stage: code_of(stage) for stage in STAGES if stage != "check"}

    before = hashes(None)

    def stale(changed: str) -> set[str]:
        after = hashes(changed)
        return {stage for stage in before if after[stage] != before[stage]}

    assert stale("fer/training/loop.py") == {"train", "distil", "transfer", "distil_ensemble", "ablation"}
    assert stale("fer/models/inception.py") == {"transfer", "evaluate", "publish", "export", "explain", "report"}
    assert stale("fer/evaluation/tables.py") == {"ablation_table", "compare", "ensemble", "report"}
    assert stale("fer/data/synthetic.py") == {"acquire"}
    assert stale("fer/models/zoo.py") == {"publish", "report"}
    assert stale("fer/params.py") == set()
