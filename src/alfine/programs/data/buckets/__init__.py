"""Buckets as folders of this machine, or those of a real S3."""
