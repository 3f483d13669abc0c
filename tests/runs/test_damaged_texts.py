"""The configuration and the history of a run, damaged or made to do harm."""

import numpy as np
import pytest

from higlow_tf.errors import InputError
from higlow_tf.runs import read_run_config
from higlow_tf.runs.directory import RunDirectory

DATA = "data: {maps: a.npy, params: b.txt}\n"
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 20000, "at most 20 levels. Received: more"),
        ("- " * 5000 + "x", "at most 20 levels. Received: more"),
        ("{a: " * 1000, "at most 20 levels. Received: more"),
        (BOMB, "at most 10 aliases. Received: more"),
        (b"\x93\xff\xfe\x00", "Received: no text"),
        (bytes(100), "expected YAML. Received: "),
        (DATA + "#" * 10**8, "Received: more than 131072 bytes"),
        ("", "Received: an empty file"),
        ("\n", "Received: an empty file"),
        (DATA + "model: {date: 2020-99-99}", "expected YAML. Received: month"),
        (DATA + f"model: {{width: {'9' * 5000}}}", "expected YAML. Received: "),
        (DATA + "? [a]\n: b", "Received: "),
        (DATA + "1: 2", "Received: "),
        (DATA + "preset: [a]", "preset: .*Received: "),
        (DATA + "training: 3", "training: "),
        ("data: " + "x" * 100000, r"data: .{,200}$"),
        ("&a a: *a", "Received: "),
        ("a: !!python/object/apply:os.system ['ls']", "expected YAML. Received: "),
    ],
)
def test_a_configuration_that_does_harm_is_refused(tmp_path, content, words):
    path = tmp_path / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=rf"config\.yaml: .*{words}"):
        read_run_config(path)


def test_some_aliases_are_no_harm(tmp_path):
    (tmp_path / "config.yaml").write_text("data: {maps: &name a.npy, params: *name}\n")
    assert read_run_config(tmp_path / "config.yaml").data.params.name == "a.npy"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "Received: an empty file"),
        (b"\xff\xfe\x00", "Received: no text"),
        ("epoch,loss\n1,2\n", "among them epoch, loss, val_loss. Received: epoch, loss"),
        ("epoch,loss,val_loss,loss\n1,2,3,4\n", "each once"),
        ("epoch,loss,val_loss\n1,2,3\n2,1\n", "3 in each line. Received: 2 in line 3"),
        ("epoch,loss,val_loss\n1,2,3,4\n", "3 in each line. Received: 4 in line 2"),
        ("epoch,loss,val_loss\n1,two,3\n", "could not convert string to float: 'two'"),
        ("epoch,loss,val_loss\n1,,3\n", "could not convert string to float: ''"),
        ('epoch,loss,val_loss\n1,2,"3\n', "Received: "),
        ("epoch,loss,val_loss\n1,2," + "3" * 200000 + "\n", "Received: field larger"),
        (bytes(100), "Received: "),
    ],
)
def test_a_damaged_history_is_a_sentence_with_its_file(tmp_path, content, words):
    (tmp_path / "history.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=rf"history\.csv: expected the history of a training.*{words}"):
        RunDirectory(tmp_path).read_history()


def test_a_history_is_columns_of_numbers(tmp_path):
    assert RunDirectory(tmp_path).read_history() == {}
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n1,-0.5,nan\n2,-1e-3,0\n")
    found = RunDirectory(tmp_path).read_history()
    np.testing.assert_array_equal(found["loss"], [-0.5, -1e-3])
    np.testing.assert_array_equal(found["val_loss"], [np.nan, 0.0])
