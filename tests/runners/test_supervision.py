"""What a launcher that was killed leaves behind is found and ended."""

import subprocess

from alfine.runners.launcher import CONTROL
from alfine.runners.supervision import settle_lost


def test_a_process_that_has_closed_its_output_is_found_by_its_environment(tmp_path):
    (tmp_path / CONTROL).mkdir()
    (tmp_path / CONTROL / "log").touch()
    environment = {"SAGEMAKER_BASE_DIR": str(tmp_path / "opt" / "ml"), "PATH": "/usr/bin:/bin"}
    quiet = subprocess.Popen(["sh", "-c", "exec >&- 2>&-; exec sleep 60"], env=environment)
    try:
        assert settle_lost(str(tmp_path))["cause"] == "lost"
        assert quiet.wait(20) == -9
    finally:
        quiet.kill()
