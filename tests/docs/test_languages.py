"""The programs of docs/how-to/any-language.md that aren't Python print the metric that their job asks for."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/how-to/any-language.md").read_text()


@pytest.mark.parametrize(("language", "program"), [("sh", "sh"), ("r", "Rscript"), ("julia", "julia")])
def test_a_program_takes_its_hyperparameters_and_prints_the_metric(language, program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    (text,) = re.findall(rf"^```{language}\n(# train\..+?)\n```", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "train").write_text(text)
    run = subprocess.run(
        [program, "train", "--x", "0.5", "--n", "3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert re.fullmatch(r"loss=\d+\.\d+\n", run.stdout), run.stderr
