"""The rules of the house that no linter knows: light floors, silence at import, mirrored tests, public names."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offramp import errors

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "offramp"
TESTS = ROOT / "tests"

LIGHT = ("errors", "graph", "run", "measure", "decide", "store", "serve", "report")
HEAVY = ("torch", "torchvision", "timm", "transformers")
NAMED_AFTER_TORCH = {
    "offramp.run.torch", "offramp.run.torch._runtime", "offramp.run.torch._buckets",
    "offramp.measure.torch", "offramp.measure._operations", "offramp.store.torch",
}  # fmt: skip
HARMLESS = ("socket.__new__", "socket.gethostname")  # made or asked, but nothing leaves
FORBIDDEN_NAMES = {"utils", "common", "misc", "helpers", "base", "manager", "handler", "core"}

# A module without a mirrored test file, and why.
UNMIRRORED = {
    "errors.py": "its tree is compared with its drawing below",
    "testing/_runtime.py": "a contract of tests; tests/run inherits it once per runtime",
    "capture/_calls.py": "a step of the capture: tests/capture/test_capture.py, on every kind of network",
    "capture/_cuts.py": "a step of the capture: tests/capture/test_capture.py, on every kind of network",
    "capture/_export.py": "a step of the capture: tests/capture/test_capture.py, on every kind of network",
    "capture/_fx.py": "a step of the capture: tests/capture/test_capture.py, on every kind of network",
    "capture/_trace.py": "a step of the capture: tests/capture/test_capture.py, on every kind of network",
    "capture/_values.py": "a step of the capture: tests/capture/test_capture.py, on every kind of network",
    "store/record/_choices.py": "fields of the record: all are written and read in tests/store/record/test_run.py",
    "store/record/_found.py": "fields of the record: all are written and read in tests/store/record/test_run.py",
    "store/record/_made.py": "fields of the record: all are written and read in tests/store/record/test_run.py",
    "store/record/_network.py": "fields of the record: all are written and read in tests/store/record/test_run.py",
    "store/record/_point.py": "fields of the record: all are written and read in tests/store/record/test_run.py",
    "store/record/_promise.py": "fields of the record: all are written and read in tests/store/record/test_run.py",
    "export/_blocks.py": "compared with the reference, graph by graph, in tests/export/test_onnx.py",
    "export/_frame.py": "the rows of a block while it is written: see export/_blocks.py",
}
# Floors, and single names, whose public docstrings may still have gaps. The list only shrinks.
UNEXPLAINED = (
    "cli", "compress", "data", "errors", "export", "graph", "pipeline", "report", "run", "store",
    "testing", "transform", "nn.Executor.dense",
)  # fmt: skip
# A test file without a module of that name, and why.
UNMIRRORING = {
    "test_house.py": "this file",
    "test_docs.py": "checks README.md, CONTRIBUTING.md and docs/",
    "test_benchmarks.py": "checks benchmarks/ and examples/",
    "bad_inputs/test_table.py": "a contract of all commands",
}


def modules() -> list[Path]:
    return sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(("offramp", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def light_modules() -> list[str]:
    """The root and every module of a light floor, but those that carry PyTorch in their name."""
    names = {dotted(path) for path in modules() if path.parts[0].removesuffix(".py") in (*LIGHT, "__init__")}
    return sorted(names - NAMED_AFTER_TORCH)


def light_packages() -> list[str]:
    return [name for name in light_modules() if name.count(".") <= 1]


def run_fresh(code: str) -> str:
    """What `code` prints in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", light_packages())
def test_a_light_floor_never_loads_torch(name: str) -> None:
    inside = [module for module in light_modules() if module == name or module.startswith(f"{name}.")]
    wanted = [name] if name == "offramp" else inside
    code = f"""
import importlib, sys
for name in {wanted}: importlib.import_module(name)
print(*[name for name in {HEAVY} if name in sys.modules])"""
    assert run_fresh(code) == ""


def test_importing_opens_no_socket() -> None:
    names = [dotted(path) for path in modules() if path.name == "__init__.py"] + light_modules()
    code = f"""
import importlib, sys
calls = []
def listen(event, args):
    if event.startswith("socket.") and event not in {HARMLESS}: calls.append((event, args))
sys.addaudithook(listen)
for name in {names}: importlib.import_module(name)
print(*calls)"""
    assert run_fresh(code) == ""


def test_a_floors_init_holds_only_a_docstring_and_reexports() -> None:
    offenders = [
        f"{path}:{statement.lineno}"
        for path in modules()
        if path.name == "__init__.py"
        for statement in ast.parse((SOURCE / path).read_text()).body[1:]
        if not is_reexport(statement) and path != Path("__init__.py")  # the root loads its names when they are used
    ]
    assert offenders == []


LAZY = ("numpy", "torch", "rich", "matplotlib", "onnx", "openvino", "pydantic", "scipy", "typer")


@pytest.mark.parametrize("code", ["from offramp import optimize, load", "from offramp import Exits, Training, Engine"])
def test_the_root_loads_nothing_heavy_before_it_is_called(code: str) -> None:
    assert run_fresh(f"{code}\nimport sys\nprint(*[name for name in {LAZY} if name in sys.modules])") == ""


def test_the_help_of_the_command_line_loads_nothing_heavy() -> None:
    code = f"""
import sys
from offramp.cli import main
sys.argv = ["offramp", "--help"]
try: main()
except SystemExit: pass
print("loaded:", *[name for name in {LAZY} if name in sys.modules and name not in ("rich", "typer")])"""
    assert run_fresh(code).splitlines()[-1] == "loaded:"


def test_every_name_of_the_root_is_there() -> None:
    names = [name for name in names_of(Path("__init__.py")) if not name.startswith("_")]
    code = f"import offramp\nprint(*[name for name in {names} if not hasattr(offramp, name)])"
    assert {"optimize", "load", "Run", "Target"} < {*names}
    assert run_fresh(code) == ""


def is_reexport(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.ImportFrom):
        return False
    return statement.module == "__future__" or all(alias.asname == alias.name for alias in statement.names)


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {part.removesuffix(".py").lstrip("_") for path in modules() for part in path.parts}
    assert names & FORBIDDEN_NAMES == set()


def mirror(path: Path) -> Path:
    return path.parent / f"test_{path.name.lstrip('_')}"


def test_every_module_has_a_mirrored_test_file() -> None:
    orphans = [
        f"src/offramp/{path} wants tests/{mirror(path)}"
        for path in modules()
        if path.name != "__init__.py" and str(path) not in UNMIRRORED and not (TESTS / mirror(path)).exists()
    ]
    assert orphans == []


def test_every_test_file_mirrors_a_module() -> None:
    mirrors = {mirror(path) for path in modules()}
    found = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("test_*.py"))]
    assert [str(path) for path in found if path not in mirrors and str(path) not in UNMIRRORING] == []


def test_every_exception_to_the_mirror_is_still_needed() -> None:
    needed = {str(path) for path in modules() if not (TESTS / mirror(path)).exists()}
    assert set(UNMIRRORED) - needed == set()
    assert [name for name in UNMIRRORING if not (TESTS / name).exists()] == []


def texts_without_encoding(path: Path) -> Iterator[str]:
    """Calls that read or write a text in whatever encoding the locale has."""
    for node in ast.walk(ast.parse((SOURCE / path).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {keyword.arg for keyword in node.keywords}
        if name in ("read_text", "write_text", "NamedTemporaryFile", "fdopen") and "encoding" not in named:
            yield f"{path}:{node.lineno}"
        if name == "open" and "encoding" not in named and opens_text(node):
            yield f"{path}:{node.lineno}"


def opens_text(node: ast.Call) -> bool:
    """Whether a call of `open` asks for a text; of those who open something else than files, none is given a mode."""
    bare = isinstance(node.func, ast.Name)
    given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    found = [mode for mode in modes if re.fullmatch(r"[rwaxbt+]{1,3}", mode)]
    return not any("b" in mode for mode in found) if found else bare


def test_every_text_file_is_utf8_whatever_the_locale() -> None:
    assert [place for path in modules() for place in texts_without_encoding(path)] == []


def public_names() -> Iterator[str]:
    for path in modules():
        if not any(part.startswith("_") and part != "__init__.py" for part in path.parts):
            yield from (f"{dotted(path)}.{name}" for name in names_of(path))


def names_of(path: Path) -> Iterator[str]:
    """Public names that a module gives: what it re-exports, and what it defines."""
    body = ast.parse((SOURCE / path).read_text()).body
    lazy = [node for each in body if isinstance(each, ast.If) and path == Path("__init__.py") for node in each.body]
    for node in (*body, *lazy):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.asname == alias.name)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_public_names_are_the_golden_ones(golden: Callable[[str, str], None]) -> None:
    golden("public_names.txt", "\n".join(sorted(set(public_names()))) + "\n")


def docstring_gaps() -> list[str]:
    """What tools/docstrings.py finds unexplained, in the floors that are to explain everything."""
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "tools" / "docstrings.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return [gap for gap in tool.gaps() if gap.split(".")[0] not in UNEXPLAINED and gap.split()[0] not in UNEXPLAINED]


def test_public_functions_explain_each_argument_and_what_they_return() -> None:
    assert docstring_gaps() == []


def test_every_floor_whose_docstrings_may_have_gaps_is_a_floor() -> None:
    floors = {path.parts[0].removesuffix(".py") for path in modules()}
    assert [name for name in UNEXPLAINED if name.split(".")[0] not in floors] == []


def drawn_errors() -> dict[str, str]:
    """Name to builtin, as the docstring of `errors` draws them."""
    return dict(re.findall(r"[├└]── (\w+)\s+\((\w+)\)", errors.__doc__ or ""))


def test_the_drawn_error_tree_is_the_real_one() -> None:
    real = {
        name: kind.__bases__[-1].__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.OfframpError) and kind is not errors.OfframpError
    }
    assert drawn_errors() == real


@pytest.mark.parametrize("name", sorted(drawn_errors()))
def test_an_error_refines_a_builtin_and_stays_an_offramp_error(name: str) -> None:
    first, *rest = getattr(errors, name).__bases__
    assert first is errors.OfframpError
    assert [base.__module__ for base in rest] == ["builtins"]


def functions_of(*places: Path) -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in (path for place in places for path in sorted(place.rglob("*.py"))):
        yield from ((path, node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def called_in(function: ast.FunctionDef) -> set[str]:
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


def can_fail(function: ast.FunctionDef, asserting: set[str]) -> bool:
    """True if it holds an assertion, or calls what does."""
    named = {name for name in called_in(function) if name.startswith("assert_")}
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(function))
    return asserts or bool(named or called_in(function) & asserting)


def returns_of(node: ast.AST) -> Iterator[int]:
    """Lines with a return of this function, not of those inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child.lineno
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from returns_of(child)


def asserting_names() -> set[str]:
    """What fails a test: pytest's own, and every function of tests and contracts that asserts, whoever calls it."""
    found, names = set(), {"raises", "warns", "fail", "golden", "exec"}  # exec: a page's own assertions
    while found != names:
        found = set(names)
        helpers = [one for _, one in functions_of(TESTS, SOURCE / "testing") if not one.name.startswith("test_")]
        names |= {one.name for one in helpers if can_fail(one, found)}
    return names


def test_every_test_asserts_something() -> None:
    asserting = asserting_names()
    assert [
        f"{path.relative_to(ROOT)}:{one.lineno} {one.name}"
        for path, one in functions_of(TESTS)
        if one.name.startswith("test_") and not can_fail(one, asserting)
    ] == []


def test_no_test_ends_early_without_a_word() -> None:
    """A test that does not apply says so, by pytest.skip or hypothesis.assume."""
    assert [
        f"{path.relative_to(ROOT)}:{line} {one.name}"
        for path, one in functions_of(TESTS)
        if one.name.startswith("test_")
        for line in returns_of(one)
    ] == []


def told_folders(text: str) -> list[str]:
    """Folders of one machine that a text names."""
    return re.findall(r"(?<![\w.~-])/(?:home|root|tmp|work|mnt|media|scratch|Users)/[\w.-]*", text)


@pytest.mark.parametrize("text", ["npz:/work/a.npz", "cd /tmp/a", '"/home/ada"', "--out=/root/out"])
def test_a_folder_of_one_machine_is_recognized(text: str) -> None:
    assert len(told_folders(text)) == 1


def test_nothing_that_is_published_names_a_folder_of_one_machine() -> None:
    places = ["benchmarks", "docs", "README.md", "CONTRIBUTING.md", "changelog.d"]
    asked = subprocess.run(["git", "ls-files", "-z", *places], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = [ROOT / name for name in asked.stdout.split("\0") if name]
    assert len(tracked) > 100  # so git was asked in the right place
    found = {str(path.relative_to(ROOT)): told_folders(path.read_bytes().decode(errors="replace")) for path in tracked}
    assert {name: folders for name, folders in found.items() if folders} == {}


def collected(folder: Path, *arguments: str) -> list[Path]:
    """The files in which pytest, as this project configures it, finds a test."""
    ask = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(ask, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return sorted({Path(line.split("::")[0]) for line in done.stdout.splitlines() if "::" in line})


def has_doctests(path: Path) -> bool:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, documented)]
    return any(">>>" in (ast.get_docstring(node) or "") for node in nodes)


def test_every_test_file_and_every_module_with_doctests_is_collected() -> None:
    on_disk = [*TESTS.rglob("test_*.py"), *(path for path in SOURCE.rglob("*.py") if has_doctests(path))]
    assert collected(ROOT) == sorted(path.relative_to(ROOT) for path in on_disk)


def test_what_setuptools_writes_into_build_is_not_collected(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("build/lib/test_copy.py", "build/lib.linux-x86_64-311/test_copy.py", "tests/build/test_one.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("def test_it(): assert path\n")
    assert collected(tmp_path, ".") == [Path("tests/build/test_one.py")]
