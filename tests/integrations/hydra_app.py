"""A program of Hydra, whose overrides say what goes wrong."""

import os
import signal

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

CONFIG = {
    "defaults": [{"override hydra/sweeper": "alfine"}, "_self_"],
    "rate": 0.1,
    "optimizer": "adam",
    "layers": 3,
    "fail": "",
    "hydra": {"sweeper": {"criteria": "BestObjectiveNotImproving 4"}},
}
ConfigStore.instance().store("config", CONFIG)


@hydra.main(version_base=None, config_path=None, config_name="config")
def main(config):
    if config.fail == "killed" and HydraConfig.get().job.num == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if config.fail == "all" or (config.fail == "some" and config.optimizer == "sgd"):
        raise ValueError("too large")
    if config.fail == "nothing":
        return None
    return abs(config.rate - 0.01) + config.layers / 100


if __name__ == "__main__":
    main()
