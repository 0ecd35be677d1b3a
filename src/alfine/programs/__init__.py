"""What one training job runs on this machine."""
