"""dvc.yaml beside the code: DVC does not follow imports, so each stage's deps must name what its result comes from."""

import ast
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]

# No result depends on these: they validate, report or stop. A new parameter must not make every training stale.
WITHOUT_INFLUENCE = {
    "fer/errors.py",
    "fer/params.py",
    "fer/training/progress.py",
    "fer/training/watchdog.py",
}


def imports_of(path: Path) -> set[Path]:
    """The project's own modules that a file imports, as paths."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {ROOT / (name.replace(".", "/") + ".py") for name in names if name.startswith(("fer", "stages"))}
    return {file for file in files if file.exists()}


def transitive_imports(path: Path) -> set[str]:
    """Everything under fer/ that a script runs through, relative to the root."""
    seen, waiting = set(), {path}
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= imports_of(file) - seen
    return {str(file.relative_to(ROOT)) for file in seen if file.is_relative_to(ROOT / "fer")}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_the_modules_that_a_stage_imports(stage: str) -> None:
    command = STAGES[stage]["cmd"].split()
    script = ROOT / (command[command.index("-m") + 1].replace(".", "/") + ".py")
    declared = {dep for dep in STAGES[stage].get("deps", []) if dep.startswith("fer/")}
    if stage == "check":
        assert not declared  # its output is constant: a change of code cannot change it
        return
    assert declared == transitive_imports(script) - WITHOUT_INFLUENCE


if __name__ == "__main__":
    for name, stage in STAGES.items():
        command = stage["cmd"].split()
        script = ROOT / (command[command.index("-m") + 1].replace(".", "/") + ".py")
        print(name, *sorted(transitive_imports(script) - WITHOUT_INFLUENCE), sep="\n      - ")
