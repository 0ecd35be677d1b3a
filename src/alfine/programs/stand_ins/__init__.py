"""Stand-ins for modules that are installed in SageMaker's containers and that scripts import: each folder here is one.

A script whose request names an image finds them at the end of its PYTHONPATH. A module that is really installed goes before its
stand-in (`give_way`). The folders run in any Python, so they import nothing of alfine.

    sagemaker_training, sagemaker_containers   the training job's environment, from its SM_ variables
    sagemaker_xgboost_container                reading data for XGBoost; several hosts train one after the other
    smdebug                                    hooks that save nothing
"""

from __future__ import annotations

import os
from pathlib import Path

from alfine.core.spec import LOCAL_IMAGE, TuningJobSpec

FOLDER = Path(__file__).parent


def python_path(spec: TuningJobSpec) -> dict[str, str]:
    """Return the variable by which the scripts of a definition find the stand-ins; {} where they don't expect a container."""
    if spec.definition.image == LOCAL_IMAGE:
        return {}
    given = spec.definition.environment.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, (given, str(FOLDER))))}
