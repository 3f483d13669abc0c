"""Our programs in JAX: what is exported, that JAX finds TensorFlow's values again without TensorFlow, and what is refused."""

import copy
import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.gpu_step import export
from benchmarks.gpu_step.__main__ import main
from benchmarks.gpu_step.folder import CHECK_STEPS, MANIFEST, STATE, Program, read_export, read_program
from benchmarks.gpu_step.table import table_of
from benchmarks.gpu_step.timing import check_changes, check_values
from higlow_tf import cores
from higlow_tf.errors import InputError
from higlow_tf.evaluation.speed_tasks import synthetic_batch, synthetic_model
from higlow_tf.models import count_operations

ROOT = Path(__file__).parents[1]
INPUT_ERROR = 2
# Makes every import of TensorFlow fail, as on a machine that has none.
WITHOUT_TENSORFLOW = (
    "import sys; sys.modules.update(tensorflow=None, keras=None); "
    "from benchmarks.gpu_step.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
PROGRAM = Program("train", 2, "train_2.hlo.gz", [[[2], "float32"]], [[[2], "float32"]], ["w"], ["w"], 8, 16)
RANGE = {"median": 0.002, "min": 0.001, "max": 0.004}
ROW = {
    "task": "train", "batch_size": 64, "who": "torch", "note": None, "wall_s": RANGE, "maps_per_s": 32000.0,
    "ratio": {"median": 1.5, "min": 1.25, "max": 2.0}, "first_s": 12.0, "share_of_copy": 0.125, "share_of_float32": 0.25,
    "share_of_tf32": 0.0625,
}  # fmt: skip


def run_time(*arguments):
    """The command `time` in a process without TensorFlow."""
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, "time", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


def refusal(finished):
    """The one sentence of a process that refused its input."""
    assert finished.returncode == INPUT_ERROR, finished.stderr
    (line,) = finished.stderr.splitlines()
    return line


# ---- without JAX


def test_a_program_is_written_with_its_names_and_takes_a_batch_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "_MAX_CORES_FOR_PARTS", 10**6)  # as on a machine of few cores
    model = export.model_to_export("tiny")
    graph = export.graph_of_task(model, "log_prob")
    program, variables = export.write_program(model, graph, "log_prob", 64, tmp_path)
    assert program.inputs[:2] == [[[64, 2], "float32"], [[64, 16, 16, 1], "float32"]]
    assert program.outputs == [[[64], "float32"]]
    assert program.updates == []
    assert set(program.state) == set(variables) == {variable.path for variable in model.weights}
    assert [list(variables[name].shape) for name in program.state] == [shape for shape, _ in program.inputs[2:]]
    assert program.operations == count_operations(model).of_batch(64)
    assert program.moved_bytes == 4 * (64 * 16 * 16 + model.count_params())
    arguments = [tf.constant(array) for array in synthetic_batch(model, 64)[1::-1]]
    text = graph.experimental_get_compiler_ir(*arguments)(stage="hlo")
    assert "f32[4,8,8,64]" in text
    assert "f32[4,8,8,32]" not in text  # half of the batch, which a cache would hold
    assert len(read_program(tmp_path, program)) > 10**5


def test_the_state_that_outputs_replace_is_read_from_the_program():
    header = "HloModule a, input_output_alias={ {1}: (6, {}, may-alias), {2}: (3, {}, may-alias) }, entry"
    assert export.changed_inputs(header) == [6, 3]
    assert export.changed_inputs("HloModule a, entry") == []
    with pytest.raises(RuntimeError, match="after the first"):
        export.changed_inputs("HloModule a, input_output_alias={ {0}: (6, {}, may-alias) }")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "--batch", "8,none", "--out", "new"], "--batch: expected positive numbers"),
        (["export", "--preset", "hiflow16", "--out", "new"], "--preset: expected one of paper"),
        (["export", "--preset", "tiny", "--out", str(ROOT)], "--out: expected a path that does not exist"),
        (["time", "new", "--programs", "torch,others"], "--programs: expected names among torch, torch.compile"),
        (["time", "new", "--rounds", "0"], "--rounds: expected one or more"),
        (["time", "new"], "new: expected a folder that export wrote"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, sentence, capsys):
    assert main(arguments) == INPUT_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(sentence)
    assert "Received: " in line


def test_the_command_that_times_reads_a_folder_without_tensorflow(tmp_path):
    assert f"{tmp_path}: expected a folder that export wrote" in refusal(run_time(tmp_path))


def test_folders_that_no_export_wrote_are_refused(tmp_path):
    whole = export.Export("tiny", {}, {}, {}, [PROGRAM], {}).to_json()
    np.savez(tmp_path / STATE, w=np.zeros(2))
    (tmp_path / MANIFEST).write_text(json.dumps(whole))
    assert read_export(tmp_path)[0].find("train", 2) == PROGRAM
    for changes, sentence in (({"format_version": 2}, "expected format version 1"), ({"more": 1}, "that export wrote")):
        (tmp_path / MANIFEST).write_text(json.dumps(whole | changes))
        with pytest.raises(InputError, match=sentence):
            read_export(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps(whole))
    np.savez(tmp_path / STATE, v=np.zeros(2))
    with pytest.raises(InputError, match="the state of all programs. Received: none for w"):
        read_export(tmp_path)
    (tmp_path / PROGRAM.file).write_bytes(gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(InputError, match="expected a compressed program"):
        read_program(tmp_path, PROGRAM)


def test_other_values_are_refused():
    check_values("here", [1.0, 2000.5], [1.0, 2000.0])
    for found in ([1.01, 2000.0], [1.0, 2003.0], [1.0, np.nan]):
        with pytest.raises(InputError, match=r"^here: expected TensorFlow's values to 0.001. Received: a difference"):
            check_values("here", found, [1.0, 2000.0])
    check_changes("here", [1e-9, 0.0, 3.0], [1.01e-9, 0.0, 3.0])
    for found in ([2e-9, 0.0, 3.0], [1e-9, 1e-9, 3.0], [1e-9, 0.0, 0.0]):
        with pytest.raises(InputError, match="expected TensorFlow's changes"):
            check_changes("here", found, [1e-9, 0.0, 3.0])


def test_the_table_has_a_row_for_each_program_and_a_reason_where_there_are_no_numbers():
    failed = {**dict.fromkeys(ROW), "task": "train", "batch_size": 64, "who": "torch.compile", "note": "no compiler"}
    rates = {"copy_bytes_per_s": 4e12, "float32_per_s": 5e13, "tf32_per_s": None}
    versions = {"jax": "1", "torch": None, "export": {"tensorflow": "2"}}
    measured = {
        "preset": "tiny", "device": "some", "platform": "gpu", "versions": versions, "rates": rates, "rounds": 3,
        "rows": [ROW, ROW | {"who": "higlow_tf", "note": "2 steps left out"}, failed],
    }  # fmt: skip
    lines = table_of(measured).splitlines()
    assert "copies 4e+03 GB/s, float32 products 50 TFLOP/s, no TF32" in lines[1]
    assert lines[-3] == "| train | 64 | torch | 2 (1 to 4) | 3.2e+04 | 1.5 (1.25 to 2) | 12.5% | 25.0% | 6.2% | 12 |"
    assert lines[-2].startswith("| train | 64 | higlow_tf: 2 steps left out | 2 (1 to 4) |")
    assert "| no compiler |" in lines[-1]
    assert {line.count("|") for line in lines[3:]} == {11}


# ---- with JAX


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    for package in ("jax", "torch"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is missing")
    folder = tmp_path_factory.mktemp("gpu_step") / "tiny"
    assert main(["export", "--preset", "tiny", "--batch", "2", "--out", str(folder)]) == 0
    return folder


@pytest.mark.peer
@pytest.mark.slow
def test_jax_finds_the_values_again_and_times_them_beside_pytorch(exported, tmp_path):
    file = tmp_path / "rows.json"
    finished = run_time(exported, "--rounds", "2", "--programs", "torch", "--json", file)
    assert finished.returncode == 0, finished.stderr
    assert "TensorFlow's values: found again" in finished.stdout
    measured = json.loads(file.read_text())
    rows = {(row["task"], row["who"]): row for row in measured["rows"]}
    assert set(rows) == {(task, who) for task in ("train", "log_prob") for who in ("higlow_tf", "torch")}
    for (_, who), row in rows.items():
        assert set(row) == set(ROW)
        assert row["note"] is None
        assert row["maps_per_s"] == pytest.approx(2 / row["wall_s"]["median"])
        assert 0.0 < row["share_of_copy"] < 1.0
        assert 0.0 < row["share_of_float32"] < 1.0
        assert (row["ratio"] is None) == (who == "higlow_tf")
    assert measured["rates"]["copy_bytes_per_s"] > 1e6


@pytest.mark.peer
@pytest.mark.slow
def test_a_program_that_does_not_match_is_refused(exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "other")
    manifest = json.loads((folder / MANIFEST).read_text())
    assert len(manifest["expected"]["train"]) == CHECK_STEPS
    changed = copy.deepcopy(manifest)
    changed["expected"]["log_prob"][0] += 1.0
    (folder / MANIFEST).write_text(json.dumps(changed))
    assert "log_prob, batch 2: expected TensorFlow's values" in refusal(run_time(folder, "--programs", ""))
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / "log_prob_2.hlo.gz").write_bytes((folder / "train_2.hlo.gz").read_bytes())
    assert "expected 52 inputs as in the manifest. Received: 141" in refusal(run_time(folder, "--programs", ""))
    (folder / "log_prob_2.hlo.gz").write_bytes(gzip.compress(b"no module"))
    assert "expected an HLO module" in refusal(run_time(folder, "--programs", ""))


@pytest.mark.slow
def test_value_and_gradients_are_the_same_program_for_a_gpu():
    model = synthetic_model("tiny", {})
    variables = [*model.trainable_variables, *model.non_trainable_variables]

    def value_and_gradients(theta, maps, *values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))), cores.whole_batches():
            weights = [variable.value for variable in model.trainable_variables]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                loss = tf.reduce_sum(model.nll_per_pixel(theta, maps))
            return [loss, *tape.gradient(loss, weights)]

    maps, theta, _ = synthetic_batch(model, 2)
    arguments = [tf.constant(array) for array in (theta, maps, *(variable.numpy() for variable in variables))]
    lower = tf.function(value_and_gradients, jit_compile=True, autograph=False).experimental_get_compiler_ir(*arguments)
    texts = [lower(stage="hlo", platform_name=platform) for platform in ("CPU", "GPU")]
    assert len(texts[0]) > 10**5
    assert texts[0] == texts[1]
