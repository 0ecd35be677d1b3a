"""Warm starts beside a GPU; run where PyTorch sees one, skipped elsewhere."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest


def _sees_a_gpu() -> bool:
    if importlib.util.find_spec("torch") is None or not any(name.startswith("nvidia") for name in os.listdir("/dev")):
        return False
    # in a process of its own: CUDA must not be initialised in the tests' process
    question = [sys.executable, "-c", "import torch, sys; sys.exit(not torch.cuda.is_available())"]
    return subprocess.run(question, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _sees_a_gpu(), reason="no GPU")

ON_GPU = "import torch\nprint(float(torch.ones(1000, device='cuda').sum()))"


def how_it_started(launch) -> str:
    return json.loads((launch.folder / ".alfine" / "process.json").read_text())["start"]


def test_a_forked_training_job_can_use_the_gpu_or_starts_cold(warm):
    for number in range(3):
        launch = warm.launch(f"job-{number}", code=ON_GPU)
        last, lines = warm.see_out(launch)
        print(how_it_started(launch), (last.ended_at - last.started_at).total_seconds())
        assert (lines, last.exit.code) == (["1000.0"], 0)


def test_imports_that_initialise_cuda_make_the_start_cold(warm, tmp_path):
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "eager_module.py").write_text("import torch\ntorch.cuda.init()\n")
    code = f"import eager_module\n{ON_GPU}"
    launch = warm.launch(code=code, environment={"PYTHONPATH": str(installed)})
    last, lines = warm.see_out(launch)
    assert (lines, last.exit.code) == (["1000.0"], 0)
    assert how_it_started(launch).startswith("cold: its imports")
