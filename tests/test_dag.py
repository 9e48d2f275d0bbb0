"""dvc.yaml beside the code: each stage depends on what its script runs through."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fer import code
from fer.code import OF_STAGE, ROOT, code_of, require_candidates, transitive_imports
from fer.errors import UserError
from fer.params import load_params

STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
CHECKED = "data/checked/${item.dataset}"


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "check"])
def test_every_stage_depends_on_its_own_code_and_check_writes_it(stage: str) -> None:
    assert f" -m stages.{stage} " in STAGES[stage]["cmd"]
    assert f"{CHECKED}/code/{stage}.txt" in STAGES[stage]["deps"]
    assert stage in STAGES["check"]["cmd"].split("--stages ")[1].split(",")


def test_check_runs_when_any_code_changes() -> None:
    assert {"fer", "stages"} <= set(STAGES["check"]["deps"])


@pytest.mark.parametrize("stage", OF_STAGE)
def test_what_leaves_the_table_out_has_its_own_row_as_text(stage: str) -> None:
    name = "ablation" if stage.startswith("ablation") else "${item.system}"
    assert f"{CHECKED}/networks/{name}.txt" in STAGES[stage]["deps"]


def test_the_ensembles_candidates_are_the_same_in_both_files() -> None:
    params = load_params(ROOT / "params.yaml")
    require_candidates(params.ensemble.systems, ROOT / "dvc.yaml")
    assert set(params.ensemble.systems) == set(params.systems) - set(params.ensemble.students)
    with pytest.raises(UserError, match=r"tuwani: stands in ensemble\.systems of params\.yaml or in the deps of"):
        require_candidates([name for name in params.ensemble.systems if name != "tuwani"], ROOT / "dvc.yaml")


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
