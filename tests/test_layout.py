"""The house: imports go down only and without circles, and every file stands in the room of its subject."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py")), *sorted((ROOT / "vae_core").rglob("*.py"))]
WRITTEN = [
    path
    for folder in ("pages", "vae_core", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".js", ".css", ".html")
]
LONGEST = 300  # lines, unless the file says why


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path) for path in SOURCES}


def imported(path: Path) -> set[str]:
    """The modules of this house that a file imports: anywhere in it, for types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: a relative import"
            # `from a import b` may name a module b of a package a
            found |= {f"{node.module}.{one.name}" for one in node.names} & NAMES or {node.module}
    return found


IMPORTS = {name_of(path): imported(path) for path in SOURCES}


def room(name: str) -> str:
    """The page, or `shared`, or the part of the core that a module stands in."""
    parts = name.split(".")
    if parts[0] == "pages":
        return parts[1] if len(parts) > 1 else "pages"
    return ".".join(parts[:2]) if name.startswith(("vae_core.runs", "vae_core.lessons")) else parts[0]


def test_no_circle() -> None:
    # The package's own front door names the modules for whoever uses it from outside.
    graph = {name: used & NAMES - {name} for name, used in IMPORTS.items() if name != "vae_core"}
    assert not any("vae_core" in used for used in graph.values()), "import from the module, not from the package"
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("name", sorted(NAMES))
def test_imports_go_down_only(name: str) -> None:
    own = room(name)
    for used in IMPORTS[name]:
        top, other = used.split(".")[0], room(used)
        if own.startswith("vae_core"):
            assert top not in ("pages", "app", "streamlit", "plotly"), f"{name} imports {used}"
            if own == "vae_core.lessons":
                assert other != "vae_core.runs", f"the lesson {name} imports {used}"
            elif own == "vae_core" and name != "vae_core.__main__":
                assert other in ("vae_core", top), f"{name} imports {used}, which stands on it"
            elif own == "vae_core.runs":
                assert other != "vae_core.lessons", f"{name} imports {used}"
        elif top == "pages":
            allowed = {"shared"} if own in ("shared", "app") else {own, "shared"}
            assert other in allowed, f"{name} imports {used}, a part of another page"


def used_by_rooms(name: str) -> set[str]:
    """The rooms that import a shared module, themselves or through another shared one."""
    users = {module for module, used in IMPORTS.items() if name in used}
    through = (used_by_rooms(module) for module in users if room(module) == "shared")
    return {room(module) for module in users if room(module) != "shared"}.union(*through)


@pytest.mark.parametrize("path", sorted((ROOT / "pages" / "shared").glob("*.py")), ids=lambda path: path.stem)
def test_what_is_shared_is_used_by_two(path: Path) -> None:
    if path.stem != "__init__":
        users = used_by_rooms(name_of(path))  # what the app uses serves all pages
        assert len(users) >= 2 or "app" in users, f"{path.name} serves one page: it stands in that page's folder"


def test_shared_widget_files_are_used_by_two() -> None:
    calls: dict[str, set[str]] = {}
    for path in SOURCES:
        for call in re.findall(r"\bwidget\(([^)]*)\)", path.read_text(encoding="utf-8")):
            page, *files = re.findall(r'"(\w+)"', call) or [""]
            for file in files:
                calls.setdefault(file, set()).add(page)
    shared = {folder.name for folder in (ROOT / "pages" / "shared").iterdir() if folder.is_dir()} | {"shared"}
    for path in (ROOT / "pages" / "shared").glob("*.js"):
        pages = calls.get(path.stem, set())
        assert pages & shared or len(pages) >= 2, f"{path.name} serves {pages}"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_long_file_says_why(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < LONGEST or "\nLong because " in text[:1000], f"{path} has two subjects?"


def test_every_page_is_a_room_with_one_script() -> None:
    folders = {path.name for path in (ROOT / "pages").iterdir() if path.is_dir() and not path.name.startswith("__")}
    pages = folders - {"shared"}
    assert {path.parent.name for path in (ROOT / "pages").glob("*/page.py")} == pages
    assert not [path for path in (ROOT / "pages").glob("*.py") if path.stem != "__init__"]
    words = {path.stem for path in (ROOT / "assets" / "pages").glob("*.md")}
    assert words <= pages, "words are named as their page is"
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "browser").glob("test_*.py")}
    assert pages <= tested, f"no real browser has seen {pages - tested}"


def test_lessons_are_named_as_their_pages_are() -> None:
    pages = {path.parent.name for path in (ROOT / "pages").glob("*/page.py")}
    for path in (ROOT / "vae_core" / "lessons").glob("[a-z]*.py"):
        users = {room(name) for name, used in IMPORTS.items() if name_of(path) in used}  # pages, or other lessons
        owner = any(path.stem.startswith(page) for page in pages)
        assert owner or len(users) > 1, f"{path.name} serves {users} alone, and is not named after it"
