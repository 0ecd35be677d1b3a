"""What training jobs read and write: channels, artifacts, checkpoints, buckets."""
