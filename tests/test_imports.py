"""Who may import whom: the imports of the package, read from its source."""

import pytest
from source_imports import FILES, OUTSIDE, PACKAGE, circles, imported_modules, module_graph, outside_paths, sources

from higlow_tf.cli.app import app

# What every part may use: modules at the top of the package that belong to no part.
SHARED = {
    "compiled_programs", "cores", "devices", "errors", "expected_rows", "files", "folder_lock", "kept_activations", "layout",
    "map_transforms", "ownership", "pixel_sums", "symmetries", "text_files", "versions",
}  # fmt: skip

# The arrows of the package's design: a part may import these others (and its own modules).
MAY_IMPORT = {
    "batch": {"gallery", "data.card_parameters", "data.hdf5", "data.npy_files", "data.parameters", "data.tables", "ray_start"},
    "bijectors": set(),
    "networks": set(),
    "data": set(),
    "diagnostics": set(),
    "gallery": set(),
    "models": {"bijectors", "networks", "data", "gallery"},
    "inference": {"data.map_hash", "data.parameter_tensors", "data.parameters"},
    "runs": {"models", "data", "gallery"},
    "evaluation": {"models", "runs", "inference", "diagnostics", "data"},
    "plotting": {"diagnostics", "inference"},
    "reports": {"evaluation", "plotting", "runs", "diagnostics", "inference", "data", "models"},
    "serving": {"models", "data", "gallery", "inference", "runs", "ray_start"},
    "cli": {
        "models", "serving", "batch", "inference", "data", "diagnostics", "plotting", "runs", "evaluation", "reports",
        "gallery",
    },
}  # fmt: skip

KERAS = {"keras", "tf_keras", "tensorflow.keras"}
# Libraries that a part must not import; a file's own entry replaces that of its part.
FORBIDDEN_LIBRARIES = {
    "batch": {*KERAS, "tensorflow_probability"},
    "bijectors": KERAS,
    "networks": {"tensorflow_probability"},
    "data": {*KERAS, "tensorflow", "tensorflow_probability"},
    "data/pipeline.py": {*KERAS, "tensorflow_probability"},
    "data/parameter_tensors.py": {*KERAS, "tensorflow_probability"},
    "diagnostics": {*KERAS, "tensorflow", "tensorflow_probability"},
    "gallery": {*KERAS, "tensorflow", "tensorflow_probability"},
}
# Libraries that only these parts, or these files at the top, may import.
RESERVED_LIBRARIES = {
    "matplotlib": {"plotting", "reports"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "ray": {"batch", "serving", "ray_start.py"},
    "pyarrow": {"batch"},
}

COMMANDS = sorted(command.callback.__module__ for command in app.registered_commands)


def is_within(module, parents):
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def forbidden_libraries(file, part):
    reserved = {library for library, parts in RESERVED_LIBRARIES.items() if not {part, file} & parts}
    return FORBIDDEN_LIBRARIES.get(file, FORBIDDEN_LIBRARIES.get(part, set())) | OUTSIDE | reserved


def violations(source, file):
    """The forbidden imports of a file of the package, and its paths to what is not installed with it."""
    part = file.split("/")[0] if "/" in file else None
    forbidden = forbidden_libraries(file, part)
    found = outside_paths(source)
    for module in imported_modules(source, file):
        inner = module.removeprefix("higlow_tf.")
        if is_within(module, forbidden):
            found.append(module)
        elif inner != module and part is not None and not is_within(inner, MAY_IMPORT[part] | SHARED | {part}):
            found.append(module)
        elif module == "higlow_tf" and part is not None:
            found.append(module)
        elif part == "cli" and file != "cli/app.py" and is_within(module, COMMANDS):
            found.append(module)
    return found


@pytest.mark.parametrize("file", FILES)
def test_imports_are_allowed(file):
    assert violations((PACKAGE / file).read_text(encoding="utf-8"), file) == []


def test_every_part_has_a_rule():
    assert {file.split("/")[0] for file in FILES if "/" in file} == set(MAY_IMPORT)


def test_the_arrows_between_parts_have_no_circle():
    graph = {part: {other.split(".")[0] for other in others} for part, others in MAY_IMPORT.items()}
    assert circles(graph) == []


def test_modules_import_each_other_without_circles():
    assert circles(module_graph(sources())) == []


def test_a_file_of_the_command_line_has_one_command():
    assert len(set(COMMANDS)) == len(COMMANDS)
    assert all(module.startswith("higlow_tf.cli.") for module in COMMANDS)


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
        ("models/presets.py", "from higlow_tf.runs import RunConfig"),
        ("models/presets.py", "from matplotlib import pyplot"),
        ("models/presets.py", "from training import configs"),
        ("models/presets.py", "from tests.bijectors import cases"),
        ("models/presets.py", "import higlow_tf"),
        ("runs/trainer.py", "from higlow_tf.evaluation import evaluate_model"),
        ("runs/callbacks.py", "from rich.progress import Progress"),
        ("evaluation/verdict.py", "import matplotlib"),
        ("evaluation/speed.py", "import typer"),
        ("evaluation/speed.py", "from higlow_tf.cli.console import load_tensorflow"),
        ("plotting/maps.py", "from higlow_tf.models import ConditionalGlow"),
        ("reports/page.py", "from higlow_tf.serving import export_model"),
        ("serving/export.py", "from higlow_tf.evaluation import evaluate_model"),
        ("serving/export.py", "from higlow_tf.cli import app"),
        ("batch/answers.py", "from higlow_tf.models import load_model"),
        ("batch/answers.py", "import keras"),
        ("cli/batch.py", "import ray"),
        ("errors.py", "import benchmarks.peers"),
        ("errors.py", "import matplotlib"),
        ("gallery/find.py", "import tensorflow as tf"),
        ("gallery/find.py", "from higlow_tf.models import load_model"),
    ],
)
def test_forbidden_imports_are_found(file, source):
    assert len(violations(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("cli/demo.py", "from higlow_tf.cli.train import train"),
        ("cli/demo.py", "def demo():\n    from higlow_tf.cli import evaluate"),
        ("cli/demo.py", "from .calibrate import calibrate"),
        ("cli/console.py", "from higlow_tf.cli.train import train"),
    ],
)
def test_a_command_that_is_imported_is_found(file, source):
    assert len(violations(source, file)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "SCRIPT = Path(__file__).parents[2] / 'benchmarks' / 'compare_with_torch.py'",
        "SCRIPT = Path(__file__).parents[2] / 'benchmarks/compare_with_torch.py'",
        "configs = root / 'training'",
        "configs = Path('training')",
        "configs = root.joinpath('training', 'compact.yaml')",
        "configs = os.path.join(root, 'training')",
        "run = f'{root}/tests/conftest.py'",
        "run = '../tests'",
        "folder = 'notebooks'",
    ],
)
def test_a_path_out_of_the_package_is_found(source):
    assert len(violations(source, "cli/benchmark.py")) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("diagnostics/metrics.py", "importlib.import_module('tensorflow')"),
        ("diagnostics/metrics.py", "from importlib import import_module\nimport_module('matplotlib.pyplot')"),
        ("diagnostics/metrics.py", "__import__('higlow_tf.models')"),
        ("diagnostics/metrics.py", "importlib.import_module('..models', __package__)"),
        ("models/presets.py", "import_module('benchmarks.torch_glow')"),
        ("models/presets.py", "runpy.run_module('tests.toy_models')"),
        ("data/mock/__init__.py", "HOMES = {'simulate': 'higlow_tf.models.presets'}"),
        ("cli/demo.py", "importlib.import_module('higlow_tf.cli.train')"),
    ],
)
def test_an_import_by_name_is_found(file, source):
    assert len(violations(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("bijectors/squeeze.py", "import tensorflow_probability as tfp\nfrom higlow_tf.layout import batch_size"),
        ("bijectors/multiscale.py", "from .squeeze import Squeeze"),
        ("networks/convolution.py", "import keras\nfrom higlow_tf.errors import InputError"),
        ("data/pipeline.py", "import tensorflow as tf"),
        ("data/parameter_tensors.py", "import tensorflow as tf"),
        ("inference/grid.py", "from higlow_tf.data.parameters import ParameterSpace"),
        ("plotting/maps.py", "import matplotlib\nfrom higlow_tf.diagnostics import PixelPDF"),
        ("reports/page.py", "import matplotlib\nfrom higlow_tf.evaluation import Evaluation"),
        ("serving/publish.py", "from higlow_tf.runs import open_run"),
        ("cli/demo.py", "import typer\nfrom higlow_tf.cli.console import say\nfrom higlow_tf.cli.options import Seed"),
        ("cli/demo.py", "say('Get benchmarks/compare_with_torch.py from a source checkout.')"),
        ("runs/options.py", "settings = {'epochs': 'training.epochs', 'stage': 'training'}"),
        ("__init__.py", "from higlow_tf import data\nfrom higlow_tf.models import ConditionalGlow"),
    ],
)
def test_allowed_imports_pass(file, source):
    assert violations(source, file) == []


def test_circles_are_found_and_named():
    files = {
        "data/__init__.py": "from higlow_tf.data.cmd import load_cmd\nfrom higlow_tf.data import splits",
        "data/cmd.py": "def load_cmd():\n    from higlow_tf.data.splits import split",
        "data/splits.py": "import importlib\nimportlib.import_module('higlow_tf.data.cmd')",
        "data/tables.py": "from higlow_tf.data import cmd, splits",
    }
    assert circles(module_graph(files)) == [("higlow_tf.data.cmd", "higlow_tf.data.splits")]
    files["data/tables.py"] = "from . import load_cmd"
    files["data/splits.py"] = "from . import tables"
    names = ("", ".cmd", ".splits", ".tables")
    assert circles(module_graph(files)) == [tuple(f"higlow_tf.data{name}" for name in names)]
    files["data/splits.py"] = ""
    files["data/tables.py"] = "from higlow_tf.data.tables import read"
    assert circles(module_graph(files)) == [("higlow_tf.data.tables",)]
