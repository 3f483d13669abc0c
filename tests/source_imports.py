"""What a source file of the package imports, reaches by path, and how the modules depend on each other."""

import ast
import re
from pathlib import Path

__all__ = ["FILES", "OUTSIDE", "PACKAGE", "circles", "imported_modules", "module_graph", "outside_paths", "sources"]

PACKAGE = Path(__file__).parents[1] / "higlow_tf"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# Folders of the checkout that no part of the package may reach: they are not installed with it.
OUTSIDE = {"training", "tests", "benchmarks", "notebooks"}
# Of these names, one is an everyday word of the package: alone, it is no folder.
_FOLDER_NAMES = OUTSIDE - {"training"}
_OUTSIDE_PATH = re.compile(rf"(\S*/)?({'|'.join(sorted(OUTSIDE))})/\S*|\S*/({'|'.join(sorted(OUTSIDE))})")
_PATH_CALLS = {"Path", "PurePath", "join", "joinpath", "with_name"}
_IMPORT_CALLS = {"import_module", "__import__", "run_module"}
_OWN_MODULE = re.compile(r"higlow_tf(\.\w+)+")


def sources():
    """Source of every file of the package, by its path inside."""
    return {file: (PACKAGE / file).read_text(encoding="utf-8") for file in FILES}


def imported_modules(source, file):
    """Absolute dotted names of all that a file imports, each once.

    Those inside functions count, `tf.keras`, constant names in `importlib.import_module` and its like, and every string
    that is the dotted name of a module of ours: a table of modules to load later is a list of imports.
    """
    package = ["higlow_tf", *Path(file).parts[:-1]]
    return list(dict.fromkeys(name for node in ast.walk(ast.parse(source)) for name in _names(node, package)))


def _names(node, package):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = _absolute(node.level, node.module or "", package)
        return [f"{module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute) and ast.unparse(node) in ("tf.keras", "tensorflow.keras"):
        return ["tensorflow.keras"]
    if isinstance(node, ast.Call) and _called_name(node) in _IMPORT_CALLS:
        name = next(iter(_strings(node.args)), "")
        level = len(name) - len(name.lstrip("."))
        return [_absolute(level, name[level:], package)] if name else []
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _OWN_MODULE.fullmatch(node.value):
        return [node.value]
    return []


def _absolute(level, module, package):
    base = package[: len(package) - level + 1] if level else []
    return ".".join([*base, *([module] if module else [])])


def _called_name(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)


def _strings(nodes):
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def outside_paths(source):
    """The paths in a source file that lead to a folder of the checkout beside the package, each once."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found += [name for name in _strings([node.left, node.right]) if name in OUTSIDE]
        elif isinstance(node, ast.Call) and _called_name(node) in _PATH_CALLS:
            found += [name for name in _strings(node.args) if name in OUTSIDE]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_path = _OUTSIDE_PATH.fullmatch(node.value) or node.value in _FOLDER_NAMES
            found += [node.value] if is_path else []
    return list(dict.fromkeys(found))


def module_graph(files):
    """Which module of the package imports which others: `{module: set of modules}`, from sources by path.

    `from higlow_tf.data import cmd` is an import of the module `higlow_tf.data.cmd`, not of its package.
    """
    names = {file: _module_name(file) for file in files}
    modules = set(names.values())
    return {
        names[file]: {module for name in imported_modules(source, file) if (module := _module_in(name, modules))}
        for file, source in files.items()
    }


def _module_name(file):
    parts = ["higlow_tf", *Path(file).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module_in(name, modules):
    """The module that a dotted name lies in; the last part may be a name inside it."""
    for candidate in (name, name.rpartition(".")[0]):
        if candidate in modules:
            return candidate
    return None


def circles(graph):
    """Groups of modules that reach each other, sorted; none in a package without circles."""
    reached = {module: _reachable(graph, module) for module in graph}
    groups = {
        tuple(sorted(other for other in graph if other in reached[module] and module in reached[other]))
        for module in graph
        if module in reached[module]
    }
    return sorted(groups)


def _reachable(graph, start):
    found, waiting = set(), list(graph[start])
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += graph.get(module, ())
    return found
