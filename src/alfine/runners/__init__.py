"""Where training jobs run: `protocol` is the seam with the engine, and each runner is one file."""
