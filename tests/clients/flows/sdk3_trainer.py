"""SDK 3: training jobs of a ModelTrainer by themselves. Its own driver starts the script, out of /opt/ml."""

import json
import os
import shutil
import tarfile

from sagemaker.core.helper.session_helper import Session
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

for folder in ("source", "shared"):
    shutil.copytree(folder, "code", dirs_exist_ok=True)
session = Session(default_bucket="third-trainer")
uploaded = session.upload_data(os.environ["FLOW_DATA"], key_prefix="data")


def train(source_code, **words):
    trainer = ModelTrainer(
        training_image="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310",
        source_code=source_code,
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        role="arn:aws:iam::000000000000:role/any",
        sagemaker_session=session,
        **words,
    )
    trainer.train(input_data_config=[InputData(channel_name="train", data_source=uploaded)], wait=True, logs=True)
    return trainer._latest_training_job.refresh()


script = train(
    SourceCode(source_dir="code", entry_script="train.py"),
    base_job_name="script",
    hyperparameters={"epochs": 3, "lr": 0.1},
)
command = train(
    SourceCode(source_dir="code", command="python train.py --lr 0.2 --epochs 2 && cp train.py /opt/ml/model/"),
    base_job_name="command",
)


def files(job):
    """What is in the model."""
    session.download_data(
        "models",
        bucket="third-trainer",
        key_prefix=job.model_artifacts.s3_model_artifacts.removeprefix("s3://third-trainer/"),
    )
    with tarfile.open("models/model.tar.gz") as archive:
        return {member.name: archive.extractfile(member).read().decode() for member in archive.getmembers()}


print(
    json.dumps(
        {
            job.training_job_name.split("-")[0]: {
                "status": job.training_job_status,
                "model": files(job),
                "entrypoint": job.algorithm_specification.container_entrypoint,
            }
            for job in (script, command)
        }
    )
)
