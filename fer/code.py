"""The code that a stage's result comes from, found by following its script's imports.

DVC does not follow imports. The stage `check` writes, for every other stage, a file with the hash of each module that
its script runs through; the stage depends on that file alone. A change of code makes exactly those stages stale whose
result it can change.
"""

import ast
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from fer.errors import UserError
from fer.files import sha256_of
from fer.params import PARAMS

ROOT = Path(__file__).parent.parent
PACKAGES = ("fer", "stages")

# No result depends on these: they validate, report or stop. A new parameter must not make every training stale.
WITHOUT_INFLUENCE = {
    "fer/errors.py",
    "fer/not_run.py",
    "fer/params.py",
    "fer/recipe.py",
    "fer/training/progress.py",
    "fer/training/watchdog.py",
    "stages/__init__.py",
}
# The table of networks reaches these stages as the text of their own network, which no other row changes; and what a
# system from scratch never runs does not make it stale.
TRANSFER = {"fer/models/inception.py", "fer/models/pretrained.py", "fer/models/weights.py", "fer/training/transfer.py"}
OF_STAGE = {
    "train": {"fer/models/zoo.py", *TRANSFER},
    "distil": {"fer/models/zoo.py", *TRANSFER},
    "transfer": {"fer/models/zoo.py"},
    "evaluate": {"fer/models/zoo.py"},
    "distil_ensemble": {"fer/models/zoo.py", *TRANSFER},
    "ablation": {"fer/models/zoo.py", *TRANSFER},
    "ablation_table": {"fer/models/zoo.py", *TRANSFER},
    "export": {"fer/models/zoo.py"},
    "explain": {"fer/models/zoo.py"},
}


def code_of(stage: str) -> str:
    """A line for each module that decides the stage's result: its sha256 and its path."""
    names = transitive_imports(ROOT / "stages" / f"{stage}.py") - WITHOUT_INFLUENCE - OF_STAGE.get(stage, set())
    return "".join(f"{sha256_of(ROOT / name)}  {name}\n" for name in sorted(names))


def require_candidates(systems: Sequence[str], graph: Path) -> None:
    """Raises UserError unless dvc.yaml's stage `ensemble` depends on the predictions of exactly these systems."""
    stage = YAML(typ="safe", pure=True).load(graph.read_text(encoding="utf-8"))["stages"]["ensemble"]
    depends = {Path(dep).name for dep in stage["deps"] if dep.startswith("data/predictions/")}
    if different := sorted(depends ^ set(systems)):
        raise UserError(
            f"{', '.join(different)}: stands in ensemble.systems of {PARAMS} or in the deps of {graph}'s stage "
            "`ensemble`, but not in both"
        )


def transitive_imports(script: Path, root: Path = ROOT) -> set[str]:
    """Every module of the project that `script` runs through, itself included, as paths relative to `root`."""
    seen: set[Path] = set()
    waiting = {script}
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= imports_of(file, root) - seen
    return {file.relative_to(root).as_posix() for file in seen}


def imports_of(path: Path, root: Path) -> set[Path]:
    """The project's own modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    own = {name.replace(".", "/") for name in names if name.split(".")[0] in PACKAGES}
    files = {root / f"{name}{end}" for name in own for end in (".py", "/__init__.py")}
    return {file for file in files if file.exists()}
