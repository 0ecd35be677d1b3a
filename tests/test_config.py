"""alfine.toml: read strictly, every fault named at once."""

import pytest

from alfine.config import Config, Files
from alfine.core.errors import InvalidSpec


def test_a_home_without_a_file_has_every_default(tmp_path):
    assert Config.at(tmp_path) == Config()


def test_a_table_is_read(tmp_path):
    (tmp_path / "alfine.toml").write_text('[files]\nroots = ["/data", "/code"]\n')
    assert Config.at(tmp_path).files == Files(roots=("/data", "/code"))


def test_every_fault_is_named_at_once_with_its_place_and_the_nearest_known_name(tmp_path):
    (tmp_path / "alfine.toml").write_text('[file]\n[files]\nroot = 1\nroots = "/data"\n')
    with pytest.raises(InvalidSpec) as error:
        Config.at(tmp_path)
    text = str(error.value)
    assert "there is no 'file' here. Did you mean 'files'?" in text
    assert "[files]: there is no 'root' here. Did you mean 'roots'?" in text
    assert "[files] roots: '/data' must be a list of texts." in text


def test_a_file_that_is_no_toml_is_an_error_with_its_path(tmp_path):
    (tmp_path / "alfine.toml").write_text("[files\n")
    with pytest.raises(InvalidSpec, match=r"alfine\.toml: can't be read"):
        Config.at(tmp_path)


def test_another_file_can_be_named_and_must_be_there(tmp_path, monkeypatch):
    other = tmp_path / "other.toml"
    monkeypatch.setenv("ALFINE_CONFIG", str(other))
    with pytest.raises(InvalidSpec, match="can't be read"):
        Config.at(tmp_path)
    other.write_text('[files]\nroots = ["/x"]\n')
    assert Config.at(tmp_path).files.roots == ("/x",)
