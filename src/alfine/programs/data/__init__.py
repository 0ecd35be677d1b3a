"""Data of training jobs: channels, artifacts, checkpoints, buckets."""
