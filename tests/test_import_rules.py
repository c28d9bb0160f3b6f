"""The rules of the house that a syntax tree can show: who imports whom, and who alone may do certain things."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = {
    "core": 0,
    "imaging": 1,
    "generators": 1,
    "encoders": 1,
    "predictors": 1,
    "losses": 1,
    "inversion": 2,
    "editing": 2,
    "data": 2,
    "tuning": 3,
    "packs": 3,
    "session": 4,
    "training": 5,
    "evaluation": 5,
    "user_edits": 6,
    "experiments": 6,
    "api": 7,
    "cli": 8,
    "__main__": 9,
}
"""A part may import parts of lower layers only; within a layer, only itself."""

ENGINE_FILES = sorted((ROOT / "engines").rglob("*.py"))
PAGE_FILES = sorted([*(ROOT / "editor_app").rglob("*.py"), *ROOT.glob("app.py")])


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    """Full names of imported modules; ``from a import b`` gives ``a.b``, which may be a module or a name in one."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Dotted names of what is called: ``Image.open``, ``torch.load``, ``print``."""
    return [(ast.unparse(node.func), node) for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)]


def _part(path: Path) -> str:
    return path.relative_to(ROOT / "engines").parts[0].removesuffix(".py")


def _outside(*allowed: str) -> list[Path]:
    """The engine's files but those in (or at) the `allowed` places."""
    return [path for path in ENGINE_FILES if not path.relative_to(ROOT).as_posix().startswith(allowed)]


def _offences(paths: list[Path], banned) -> list[str]:
    return [f"{path.relative_to(ROOT)}: {name}" for path in paths for name, call in _calls(path) if banned(name, call)]


def test_the_engine_is_where_this_test_looks():
    assert len(ENGINE_FILES) > 30
    assert len(PAGE_FILES) > 3


def test_every_part_has_a_layer():
    assert {_part(path) for path in ENGINE_FILES} - set(LAYERS) == {"__init__"}


@pytest.mark.parametrize("part", [part for part in LAYERS if part != "core"])
def test_imports_go_down_only(part):
    files = [path for path in ENGINE_FILES if _part(path) == part]
    wrong = []
    for path in files:
        for name in _imports(path):
            words = name.split(".")
            if words[0] != "engines" or len(words) < 2 or words[1] == part:
                continue
            if words[1] not in LAYERS or LAYERS[words[1]] >= LAYERS[part]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_core_imports_nothing_of_the_engine_but_itself():
    names = [name for path in ENGINE_FILES if _part(path) == "core" for name in _imports(path)]
    assert not [name for name in names if name.startswith("engines.") and not name.startswith("engines.core.")]


def test_the_engine_knows_no_user_interface():
    banned = ("gradio", "editor_app", "app")
    assert not [(path, name) for path in ENGINE_FILES for name in _imports(path) if name.split(".")[0] in banned]


def test_the_page_uses_the_facade_only():
    names = [(path.name, name) for path in PAGE_FILES for name in _imports(path) if name.split(".")[0] == "engines"]
    # What the start needs before the facade, which takes seconds to import: errors are told, the server's folder is there.
    allowed = dict.fromkeys(("app.py", "serve.py", "temporary.py"), ("api", "core"))
    assert not [(file, name) for file, name in names if name.split(".")[1] not in allowed.get(file, ("api",))]


def test_the_way_to_the_page_is_free_of_torchvision():
    """It brings torch's compiler with it: seconds, before a page can be seen, for what few lines of SciPy do as well."""
    files = [*PAGE_FILES, *(path for path in ENGINE_FILES if _part(path) not in ("training", "evaluation"))]
    assert not [path for path in files if any(name.startswith("torchvision") for name in _imports(path))]


def test_user_pictures_are_opened_in_one_place():
    # The renderer reads its bundled textures, the curves the figure that they have just drawn, and evaluations the results that
    # they have kept: no user names those.
    own = ("engines/data/", "engines/evaluation/curves.py", "engines/evaluation/kept.py")
    others = _outside("engines/imaging/read.py", *own)
    assert not _offences(others, lambda name, _: name.endswith("Image.open"))


def test_generators_are_made_in_one_place():
    # Networks draw their first weights and dropout from torch's own generator: a training seeds it, once, at its start.
    def banned(name: str, _: ast.Call) -> bool:
        made = name.split(".")[-1] in ("default_rng", "RandomState", "SeedSequence") or name in ("torch.Generator", "Random")
        return made or name.startswith(("np.random.", "numpy.random.", "random."))

    assert not _offences(_outside("engines/core/rng.py"), banned)
    seeding = _outside("engines/core/rng.py", "engines/training/")
    assert not _offences(seeding, lambda name, _: name.endswith("manual_seed") or name == "seed_everything")


def test_only_the_command_line_prints():
    assert not _offences(_outside("engines/cli/"), lambda name, _: name in ("print", "sys.stdout.write", "sys.stderr.write"))


def test_nothing_unpickles_or_runs_text():
    assert not [(path, name) for path in ENGINE_FILES for name in _imports(path) if name.split(".")[0] in ("pickle", "dill")]
    assert not _offences(ENGINE_FILES, lambda name, _: name in ("eval", "exec"))

    def unsafe(name: str, call: ast.Call) -> bool:
        safe = any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in call.keywords)
        return name == "torch.load" and not safe

    assert not _offences(ENGINE_FILES, unsafe)


def test_the_engine_opens_no_connection():
    banned = ("socket", "requests", "httpx", "urllib", "http", "ftplib")
    assert not [(path, name) for path in ENGINE_FILES for name in _imports(path) if name.split(".")[0] in banned]


def test_importing_sets_no_global_flags():
    flags = ("torch.set_num_threads", "torch.set_grad_enabled", "torch.set_default_dtype", "warnings.filterwarnings")
    wrong = []
    for path in [*ENGINE_FILES, *PAGE_FILES]:
        for node in _tree(path).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in flags:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong
