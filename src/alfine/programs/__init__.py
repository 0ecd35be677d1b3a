"""Programs: the code that one training job runs on this machine."""
