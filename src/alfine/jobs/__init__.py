"""A tuning job's life: the home, the service, the engine."""
