"""Storage of what training jobs read and leave at URIs: buckets, models, outputs, checkpoints and copies of logs."""
