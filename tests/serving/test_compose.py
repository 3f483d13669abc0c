"""What `higlow export --compose` writes: files that TensorFlow Serving's own messages and YAML can read."""

import re

import pytest
import yaml
from google.protobuf import text_format

from higlow_tf.errors import InputError
from higlow_tf.serving.compose import SERVING_IMAGE, write_compose_files
from higlow_tf.serving.server.limits import Limits
from higlow_tf.serving.server.options import ServerOptions


def test_compose_serves_the_folder_on_both_ports(tmp_path):
    paths = write_compose_files(tmp_path / "mine")
    assert [path.name for path in paths] == ["compose.yaml", "models.config", "batching_parameters.txt"]
    (name, service), *others = yaml.safe_load(paths[0].read_text())["services"].items()
    assert (name, others, service["image"]) == ("mine", [], SERVING_IMAGE)
    assert service["ports"] == ["8500:8500", "8501:8501"]
    assert service["volumes"] == [".:/models/mine:ro"]
    files = {argument.partition("=")[2] for argument in service["command"] if "_file=" in argument}
    assert files == {f"/models/mine/{path.name}" for path in paths[1:]}


def test_the_list_of_models_is_a_message_of_tensorflow_serving(tmp_path):
    model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    _, models, _ = write_compose_files(tmp_path / "mine")
    config = text_format.Parse(models.read_text(), model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("mine", "/models/mine", "tensorflow")


def test_no_request_is_filled_up(tmp_path):
    """Points that are added to a grid would change its posterior."""
    *_, batching = write_compose_files(tmp_path / "mine")
    assert "pad_variable_length_inputs: false" in batching.read_text()


def test_large_requests_are_split_and_not_refused(tmp_path):
    """Without a size of its own, a call may be as large as a request: TensorFlow Serving refuses what is larger than a batch."""
    *_, batching = write_compose_files(tmp_path / "mine")
    sizes = dict(re.findall(r"^(\w+) { value: (\w+) }$", batching.read_text(), re.MULTILINE))
    assert sizes["enable_large_batch_splitting"] == "true"
    assert int(sizes["max_batch_size"]) == Limits().max_rows
    assert int(sizes["max_execution_batch_size"]) == ServerOptions().max_batch


def test_files_are_replaced_only_when_told_to_and_all_or_none(tmp_path):
    (tmp_path / "models.config").write_text("of somebody else")
    with pytest.raises(InputError, match="models.config"):
        write_compose_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["models.config"]
    write_compose_files(tmp_path, overwrite=True)
    assert len(list(tmp_path.iterdir())) == 3
