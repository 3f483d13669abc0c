"""Who may import whom: the imports of the package, read from its source."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "higlow_tf"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# What every part may use: modules at the top of the package that belong to no part.
SHARED = {"errors", "files", "layout", "symmetries", "versions"}

# The arrows of the package's design: a part may import these others (and its own modules).
MAY_IMPORT = {
    "bijectors": set(),
    "networks": set(),
    "models": {"bijectors", "networks", "data"},
    "data": set(),
    "inference": {"data.map_hash", "data.parameter_tensors", "data.parameters"},
    "diagnostics": set(),
    "serving": {"models", "data", "inference"},
    "plotting": {"diagnostics", "inference"},
    "cli": {"models", "serving", "inference", "data", "diagnostics", "plotting"},
}

KERAS = {"keras", "tf_keras", "tensorflow.keras"}
OUTSIDE_THE_PACKAGE = {"training", "tests", "benchmarks", "notebooks"}
# Libraries that a part must not import; a file's own entry replaces that of its part.
FORBIDDEN_LIBRARIES = {
    "bijectors": KERAS,
    "networks": {"tensorflow_probability"},
    "data": {*KERAS, "tensorflow", "tensorflow_probability"},
    "data/parameter_tensors.py": {*KERAS, "tensorflow_probability"},
    "data/pipeline.py": {*KERAS, "tensorflow_probability"},
    "diagnostics": {*KERAS, "tensorflow", "tensorflow_probability"},
}


def imported_modules(source, file):
    """Absolute dotted names of all imports of a file, those inside functions and `tf.keras` included."""
    package = ["higlow_tf", *Path(file).parts[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("tf.keras", "tensorflow.keras"):
            yield "tensorflow.keras"


def is_within(module, parents):
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def violations(source, file):
    """The forbidden imports of a file of the package."""
    part = file.split("/")[0] if "/" in file else None
    forbidden = FORBIDDEN_LIBRARIES.get(file, FORBIDDEN_LIBRARIES.get(part, set())) | OUTSIDE_THE_PACKAGE
    if part != "plotting":
        forbidden = forbidden | {"matplotlib"}
    found = []
    for module in imported_modules(source, file):
        inner = module.removeprefix("higlow_tf.")
        if is_within(module, forbidden):
            found.append(module)
        elif inner != module and part is not None and not is_within(inner, MAY_IMPORT[part] | SHARED | {part}):
            found.append(module)
        elif module == "higlow_tf" and part is not None:
            found.append(module)
    return found


@pytest.mark.parametrize("file", FILES)
def test_imports_are_allowed(file):
    assert violations((PACKAGE / file).read_text(), file) == []


def test_every_part_has_a_rule():
    assert {file.split("/")[0] for file in FILES if "/" in file} <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("bijectors/squeeze.py", "import keras"),
        ("bijectors/squeeze.py", "import tensorflow as tf\nlayer = tf.keras.layers.Dense(1)"),
        ("bijectors/squeeze.py", "from higlow_tf.networks import conv1x1"),
        ("bijectors/squeeze.py", "from ..networks.convolution import conv1x1"),
        ("networks/convolution.py", "import tensorflow_probability as tfp"),
        ("networks/convolution.py", "from higlow_tf.bijectors import Squeeze"),
        ("networks/convolution.py", "from higlow_tf import bijectors"),
        ("inference/grid.py", "def infer():\n    from higlow_tf.models import ConditionalGlow"),
        ("inference/grid.py", "from higlow_tf.data import HIMapDataset"),
        ("diagnostics/metrics.py", "import tensorflow as tf"),
        ("diagnostics/metrics.py", "import matplotlib.pyplot as plt"),
        ("diagnostics/metrics.py", "from higlow_tf.plotting import STYLE"),
        ("data/dataset.py", "import tensorflow as tf"),
        ("data/parameters.py", "import tensorflow as tf"),
        ("data/parameter_tensors.py", "import keras"),
        ("data/pipeline.py", "from keras import layers"),
        ("models/trainer.py", "from matplotlib import pyplot"),
        ("models/trainer.py", "from training import configs"),
        ("models/trainer.py", "from tests.bijectors import cases"),
        ("models/trainer.py", "import higlow_tf"),
        ("plotting/maps.py", "from higlow_tf.models import ConditionalGlow"),
        ("serving/export.py", "from higlow_tf.cli import app"),
        ("errors.py", "import benchmarks.peers"),
    ],
)
def test_forbidden_imports_are_found(file, source):
    assert len(violations(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("bijectors/squeeze.py", "import tensorflow_probability as tfp\nfrom higlow_tf.layout import batch_size"),
        ("bijectors/multiscale.py", "from .squeeze import Squeeze"),
        ("networks/convolution.py", "import keras\nfrom higlow_tf.errors import InputError"),
        ("data/parameter_tensors.py", "import tensorflow as tf"),
        ("data/pipeline.py", "import tensorflow as tf"),
        ("inference/grid.py", "from higlow_tf.data.parameters import ParameterSpace"),
        ("plotting/maps.py", "import matplotlib\nfrom higlow_tf.diagnostics import PixelPDF"),
        ("__init__.py", "from higlow_tf import data\nfrom higlow_tf.models import ConditionalGlow"),
    ],
)
def test_allowed_imports_pass(file, source):
    assert violations(source, file) == []
