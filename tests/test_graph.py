"""dvc.yaml and params.yaml as the picture of the architecture: what they declare is what the code does."""

import ast
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from fer.config.network import Network
from fer.config.params import load_params
from fer.config.run import RunConfig
from stages.draw import SYNTHETIC
from stages.validate import SOURCE, missing_weights

ROOT = Path(__file__).parent.parent
GRAPH: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
STAGES = {name: stage.get("do", stage) for name, stage in GRAPH.items()}

# No result depends on these: they validate, write files whole, report, stop, run side by side, or draw a frame.
WITHOUT_INFLUENCE = (
    "fer/__init__.py",
    "fer/config/",  # every value stands in params.yaml
    "fer/constants.py",  # the facts of FER2013; another order of emotions would change data/clean.h5
    "fer/errors.py",
    "fer/files.py",
    "fer/orchestration/",
    "stages/",
)
DECIDES_NO_RESULT = "fer.orchestration"


def imports_of(path: Path) -> set[str]:
    """The project's own modules that a file imports, anywhere in it, as paths from the root."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    own = {name.replace(".", "/") for name in names if name.split(".")[0] in {"fer", "stages"}}
    files = {f"{name}{end}" for name in own for end in (".py", "/__init__.py")}
    return {file for file in files if (ROOT / file).exists()}


def transitive_imports(script: str) -> set[str]:
    seen: set[str] = set()
    waiting = {script}
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= imports_of(ROOT / file) - seen
    return seen


def script_of(stage: str) -> str:
    found = re.search(r"-m stages\.(\w+)", STAGES[stage]["cmd"])
    assert found, stage
    return f"stages/{found[1]}.py"


def code_deps(stage: str) -> list[str]:
    return [dep.removeprefix("${code}/") for dep in STAGES[stage]["deps"] if dep.startswith("${code}/")]


def test_both_pipelines_are_one_text() -> None:
    assert (ROOT / "demo" / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()


@pytest.mark.parametrize("stage", STAGES)
def test_declared_code_covers_the_transitive_imports(stage: str) -> None:
    deps = code_deps(stage)
    undeclared = {
        file
        for file in transitive_imports(script_of(stage))
        if not file.startswith(WITHOUT_INFLUENCE)
        and not any(file == dep or file.startswith(f"{dep}/") for dep in deps)
        and file != f"{Path(file).parent}/__init__.py"  # empty; a test below holds that
    }
    assert not undeclared


@pytest.mark.parametrize("stage", STAGES)
def test_no_declared_code_is_unused(stage: str) -> None:
    used = transitive_imports(script_of(stage))
    unused = [dep for dep in code_deps(stage) if not any(file == dep or file.startswith(f"{dep}/") for file in used)]
    assert not unused


def test_packages_that_stages_run_hold_nothing_in_their_init() -> None:
    used = set().union(*(transitive_imports(script_of(stage)) for stage in STAGES))
    inits = {ROOT / Path(file).parent / "__init__.py" for file in used if file.startswith("fer/")}
    for path in (path for path in inits if path.exists()):
        code = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) for node in code), path  # a docstring at most


@pytest.mark.parametrize(
    "package", ["store.py", "models", "training", "predictions", "evaluation", "report", "explain"]
)
def test_what_decides_results_never_imports_what_does_not(package: str) -> None:
    files = [ROOT / "fer" / package] if package.endswith(".py") else list((ROOT / "fer" / package).rglob("*.py"))
    assert files
    for path in files:
        outside = {file for file in imports_of(path) if file.startswith(("fer/orchestration", "fer/cli", "stages"))}
        assert not outside, path


def test_evaluation_needs_no_network() -> None:
    """A metric that changes must not make predictions stale, nor need torch."""
    for stage in ("evaluate", "agreement", "ensemble", "ablation_effect", "report"):
        used = transitive_imports(script_of(stage))
        assert not {file for file in used if file.startswith(("fer/models", "fer/training", "fer/data"))}, stage


def test_the_library_never_imports_the_stages() -> None:
    for path in (ROOT / "fer").rglob("*.py"):
        assert not {file for file in imports_of(path) if file.startswith("stages/")}, path


def test_evaluation_depends_on_nothing_that_git_does_not_have() -> None:
    """Whoever clones the repository computes every number again."""
    kept = {"data/predictions", "data/predictions/${item.system}", "data/predictions/${ablation.base}", "data/ensemble"}
    kept |= {"data/ablation/${item.variant}", "metrics", "data/votes.csv"}
    for stage in ("evaluate", "agreement", "ensemble", "ablation_effect", "report"):
        assert {dep for dep in STAGES[stage]["deps"] if not dep.startswith("${code}")} <= kept
    assert {"data/ensemble": {"cache": False}} in STAGES["ensemble"]["outs"]
    for stage, out in (("predict", "data/predictions/${item.system}"), ("ablation", "data/ablation/${item.variant}")):
        assert {out: {"cache": False, "persist": True}} in STAGES[stage]["outs"], "what takes weights to make again"


def test_only_headline_numbers_are_metrics() -> None:
    metrics = {name: [next(iter(one)) for one in stage.get("metrics", [])] for name, stage in STAGES.items()}
    assert {name: files for name, files in metrics.items() if files} == {
        "evaluate": ["metrics/${item.system}.json"],
        "ensemble": ["metrics/ensemble.json"],
    }


@pytest.mark.parametrize("stage", ["train", "distil", "transfer", "ablation"])
def test_a_changed_default_of_any_option_makes_trainings_stale(stage: str) -> None:
    """Each option stands in train.defaults, which is a parameter of the stage; none has a default in the code."""
    assert "train.defaults" in STAGES[stage]["params"]
    models: list[Any] = [RunConfig, *parts_of(Network)]
    while models:
        for name, field in models.pop().model_fields.items():
            assert field.is_required(), name
            models += [part for part in parts_of(field.annotation) if issubclass(part, BaseModel)]


def parts_of(annotation: Any) -> list[type]:
    """The classes in an annotation, those of unions and tuples too."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    return [part for argument in get_args(annotation) for part in parts_of(argument)]


def test_no_environment_variable_decides_a_result() -> None:
    """What reads the environment: process groups and signals, deterministic cuBLAS."""
    allowed = {
        "fer/training/distributed.py",
        "fer/models/device.py",
        "fer/orchestration/watchdog.py",
        "stages/__init__.py",
    }
    readers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("fer", "stages")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8"))
    }
    assert {file for file in readers if not file.startswith(("fer/app/", "fer/cli/"))} <= allowed


def test_draw_removes_nothing_that_the_user_may_have_put_into_the_source() -> None:
    """DVC deletes a stage's outs before it runs."""
    assert STAGES["draw"]["outs"] == [str(SYNTHETIC)]
    assert SYNTHETIC.parent == SOURCE


def test_pretrained_weights_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before days of training, not after them."""
    monkeypatch.chdir(tmp_path)
    params = load_params(ROOT / "params.yaml")
    first, *_, last = missing_weights(params)
    file = params.run.transfer["vgg16_finetuned"]
    assert first == f"{file}: not there; vgg16_finetuned, vgg16_frozen cannot start without it"
    assert "docs/pretrained.md" in last
    Path("data/weights").mkdir(parents=True)
    for path in params.run.transfer.values():
        Path(path).touch()
    assert missing_weights(params) == []
