"""The files beside a model start the server, and are kept as edited."""

import re

import pytest

from keras_pyconv.export import saved_model
from keras_pyconv.export.serving import server_files
from keras_pyconv.export.serving.server_files import batching, with_model
from recipes import finetune_folder


def names(text):
    return re.findall(r'name: "(\w+)"', text)


def test_an_export_writes_what_the_server_is_started_with(small, tmp_path):
    saved_model(small, tmp_path / "first")
    saved_model(small, tmp_path / "second")
    saved_model(small, tmp_path / "first")
    text = (tmp_path / "models.config").read_text()
    assert names(text) == ["first", "second"]
    assert 'base_path: "/models/second"' in text
    assert text.count("{") == text.count("}") == 3
    assert (tmp_path / "monitoring.config").exists()
    assert "serving_default" in (tmp_path / "second/README.md").read_text()


def test_what_its_owner_edited_is_kept(small, tmp_path):
    saved_model(small, tmp_path / "net")
    mine = "# mine\nmodel_config_list { config { name: 'net' } }\n"
    (tmp_path / "models.config").write_text(mine)
    (tmp_path / "batching.config").write_text("# mine")
    (tmp_path / "net/README.md").write_text("mine")
    saved_model(small, tmp_path / "net")
    assert (tmp_path / "models.config").read_text() == mine
    assert (tmp_path / "batching.config").read_text() == "# mine"
    assert (tmp_path / "net/README.md").read_text() == "mine"
    saved_model(small, tmp_path / "other")
    assert (tmp_path / "models.config").read_text().startswith("# mine")


def test_nothing_is_written_above_where_that_is_not_wanted(small, tmp_path):
    saved_model(small, tmp_path / "net", server_files=False)
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_the_recipes_say_that_files_go_beside_the_model(capsys):
    with pytest.raises(SystemExit):
        finetune_folder.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "the server's files go to its parent" in text


@pytest.mark.parametrize("name", ["a b", 'a"b', "a:1"])
def test_a_name_that_addresses_cannot_hold_is_refused(small, tmp_path, name):
    with pytest.raises(ValueError, match="folder's name is the model's"):
        saved_model(small, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_damaged_list_of_models_is_refused_before_writing(small, tmp_path):
    (tmp_path / "models.config").write_text("nothing")
    with pytest.raises(ValueError, match="no model_config_list"):
        saved_model(small, tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_the_largest_batch_is_an_allowed_one():
    text = batching((4, 1, 2))
    assert "max_batch_size { value: 4 }" in text
    assert re.findall(r"allowed_batch_sizes: (\d)", text) == ["1", "2", "4"]


def test_a_model_is_listed_once():
    text = with_model("", "net")
    assert with_model(text, "net") == text
    assert names(with_model(text, "other")) == ["net", "other"]


def test_the_servers_own_parser_reads_the_list():
    config = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2",
        reason="tensorflow-serving-api holds the server's messages",
    )
    from google.protobuf import text_format

    text = with_model(with_model("", "first"), "second")
    read = text_format.Parse(text, config.ModelServerConfig())
    models = read.model_config_list.config
    assert [model.base_path for model in models] == [
        f"{server_files.MOUNTED}/first",
        f"{server_files.MOUNTED}/second",
    ]


LISTS = {
    "comment": "model_config_list {\n  config { name: 'a' }\n# the end }\n}\n",
    "comment behind": "model_config_list {\n} # the end }\n",
    "comment with a name": "# name: 'new'\nmodel_config_list {}\n",
    "comment with the list": "# model_config_list {\nmodel_config_list {}",
    "brace in a string": "model_config_list { config { name: 'a' "
    "base_path: '/models/}' } }",
    "colon": "model_config_list: { config: { name: 'a' } }",
    "angles": "model_config_list < config < name: 'a' > >",
    "other fields": "model_config_list { config { name: 'a' "
    "model_version_policy { specific { versions: 1 versions: 2 } } "
    "version_labels { key: 'stable' value: 1 } } }",
    "name of a label": "model_config_list { config { name: 'a' "
    "version_labels { key: 'name: \"new\"' value: 1 } } }",
    "more behind": "model_config_list {}\n# more below\n",
    "only a comment": "# my models\n",
    "empty": "",
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_gets_one_model_more_and_keeps_its_text(kind):
    pytest.importorskip(
        "tensorflow_serving", reason="holds the server's messages"
    )
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    def read(text):
        config = model_server_config_pb2.ModelServerConfig()
        text_format.Parse(text, config)
        return list(config.model_config_list.config)

    before = LISTS[kind]
    after = with_model(before, "new")
    *others, added = read(after)
    assert others == read(before)
    assert (added.name, added.base_path) == ("new", "/models/new")
    for line in before.splitlines():
        assert "#" not in line or line[line.index("#") :] in after
    assert with_model(after, "new") == after


@pytest.mark.parametrize(
    "text",
    [
        "model_config_list {",
        "model_config_list { config { name: 3 } }",
        "custom_model_config {}",
        "model_config_list {} model_config_list {}",
        "\x80 mine",
    ],
)
def test_a_list_that_the_server_would_refuse_is_left_alone(
    small, tmp_path, text
):
    file = tmp_path / "models.config"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="models.config"):
        saved_model(small, tmp_path / "net")
    assert file.read_text(encoding="latin-1") == text
    assert not (tmp_path / "net").exists()
