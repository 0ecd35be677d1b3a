"""Runners of training jobs: `protocol` is the seam with the engine, and each runner is one file."""
