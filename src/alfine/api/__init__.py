"""Python's face: tune, Tuner, job files, the SageMaker SDK's local mode."""
