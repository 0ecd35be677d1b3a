"""alfine.toml: read strictly, every fault named at once."""

import pytest

from alfine.core.errors import InvalidSpec
from alfine.jobs.home import Home
from alfine.store.config import Config, Files
from alfine.store.quantities import bytes_of
from alfine.store.ray_settings import Ray
from tests.building import request

SCRIPT = __file__  # any Python file: it isn't run


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
    assert "there is no 'file' here. Did you mean files?" in text
    assert "[files]: there is no 'root' here. Did you mean roots?" in text
    assert "[files] roots: '/data' must be a list of texts." in text


def test_a_file_that_is_no_toml_is_an_error_with_its_path(tmp_path):
    (tmp_path / "alfine.toml").write_text("[files\n")
    with pytest.raises(InvalidSpec, match=r"alfine\.toml: can't be read"):
        Config.at(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[server]\nhosts = ["https://tuner.example"]', "[server] hosts: 'https://tuner.example' isn't a host's name."),
        ('[server]\nhosts = ["tuner.example:8765"]', "without https:// and port."),
        ("[run]\nmax_decompressed_bytes = -1", "[run] max_decompressed_bytes: -1 must be a whole number from 1 on."),
        ('[ray.instances."ml.x"]\nresources = "tpu"', "resources: 'tpu' must be a table of numbers."),
        ('[ray.instances."ml.x".resources]\ntpu = -1', "tpu: -1 must be a number from 0 on."),
        ("[run]\ngpus_per_training_job = true", "[run] gpus_per_training_job: True must be a number."),
        ('[webhooks]\nurl = "https://x"', "[webhooks]: must be a list of tables"),
    ],
)
def test_what_could_never_be_met_is_an_error(tmp_path, text, why):
    (tmp_path / "alfine.toml").write_text(text)
    with pytest.raises(InvalidSpec) as error:
        Config.at(tmp_path)
    assert why in str(error.value)


def test_hosts_are_names_and_addresses(tmp_path):
    (tmp_path / "alfine.toml").write_text('[server]\nhosts = ["tuner.example", "gpu_1", "::1", "10.0.0.7"]')
    assert len(Config.at(tmp_path).server.hosts) == 4


def test_a_number_may_be_written_as_a_whole_one(tmp_path):
    (tmp_path / "alfine.toml").write_text("[run]\ngpus_per_training_job = 2")
    assert Config.at(tmp_path).run.gpus_per_training_job == 2


def test_another_file_can_be_named_and_must_be_there(tmp_path, monkeypatch):
    other = tmp_path / "other.toml"
    monkeypatch.setenv("ALFINE_CONFIG", str(other))
    with pytest.raises(InvalidSpec, match="can't be read"):
        Config.at(tmp_path)
    other.write_text('[files]\nroots = ["/x"]\n')
    assert Config.at(tmp_path).files.roots == ("/x",)


def test_prices_are_by_instance_type_and_written_into_a_job_when_it_is_created(tmp_path):
    (tmp_path / "alfine.toml").write_text("[prices.per_hour]\nlocal = 0.5\n[prices.spot_per_hour]\nlocal = 0.125\n")
    with Home(tmp_path) as home:
        plain = request(name="plain", script=SCRIPT)
        spot = request(name="spot", script=SCRIPT)
        spot["TrainingJobDefinition"]["EnableManagedSpotTraining"] = True
        own = request(name="own", script=SCRIPT, price_per_hour=2.0)
        for each in (plain, spot, own):
            home.service.create(each)
        prices = [home.service.history(name).spec.price_per_hour for name in ("plain", "spot", "own")]
    assert prices == [0.5, 0.125, 2.0]


@pytest.mark.parametrize(
    ("resources", "price"),
    [
        ({"HyperParameterTuningResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}, 0.5),
        (
            {
                "HyperParameterTuningResourceConfig": {
                    "InstanceConfigs": [
                        {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                        {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
                    ]
                }
            },
            0.5,
        ),
        ({}, 0.25),
    ],
    ids=["plain", "configs", "none"],
)
def test_a_price_is_found_wherever_a_job_says_what_it_runs_on(tmp_path, resources, price):
    """Of several InstanceConfigs the first is to be had; a job that names no instance runs on this machine."""
    (tmp_path / "alfine.toml").write_text(
        '[prices.per_hour]\n"ml.m5.large" = 0.5\n"ml.c5.xlarge" = 9.0\nlocal = 0.25\n'
    )
    with Home(tmp_path) as home:
        asked = request(name="asked", script=SCRIPT)
        del asked["TrainingJobDefinition"]["ResourceConfig"]
        asked["TrainingJobDefinition"] |= resources
        home.service.create(asked)
        assert home.service.history("asked").spec.price_per_hour == price


def test_a_price_must_be_a_number_from_0_on(tmp_path):
    (tmp_path / "alfine.toml").write_text("[prices.per_hour]\nlocal = -1\n")
    with pytest.raises(InvalidSpec, match="must be a table of numbers from 0 on"):
        Config.at(tmp_path)


def test_sizes_have_decimal_and_binary_units():
    texts = {"512 B": 512, "2 kB": 2000, "2KB": 2000, "1.5 MB": 1_500_000, "3 GB": 3 * 10**9, "1 TB": 10**12}
    texts |= {"1 KiB": 1024, "1 MiB": 1 << 20, "2 GiB": 2 << 30, "1 TiB": 1 << 40}
    assert {text: bytes_of(text, "here") for text in texts} == texts


def test_memory_of_an_instance_type_has_decimal_and_binary_units():
    texts = {"100": 100, "1KB": 10**3, "1 MB": 10**6, "1.5 GB": 15 * 10**8, "1TB": 10**12}
    texts |= {"1KiB": 1 << 10, "1MiB": 1 << 20, "16GiB": 16 << 30, "1 TiB": 1 << 40}
    shapes = Ray(instances={text: {"memory": text} for text in texts}).shapes
    assert {text: shapes[text].memory for text in texts} == texts
