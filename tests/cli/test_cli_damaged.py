"""A damaged or crafted file ends a command with one sentence and exit code 2."""

import pytest
from toy_models import TINY_8
from toy_records import SPLIT

from higlow_tf.models import ConditionalGlow, save_model


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("split.json", b"{", ("audit",)),
        ("format_version", "²".encode(), ("audit",)),
        ("model.keras", b"PK", ("sample", "--from-prior", "1", "--out", "samples.npy")),
        ("split.json", b'{"seed": 1}', ("sample", "--from-prior", "1", "--out", "samples.npy")),
    ],
)
def test_a_command_refuses_a_damaged_folder(higlow, tmp_path, monkeypatch, name, content, command):
    monkeypatch.chdir(tmp_path)
    save_model(ConditionalGlow(**TINY_8), "model", split=SPLIT)
    (tmp_path / "model" / name).write_bytes(content)
    result = higlow(command[0], "model", *command[1:])
    assert result.exit_code == 2, result.stderr
    assert f"model/{name}: expected" in result.stderr
    assert "Traceback" not in result.stderr
