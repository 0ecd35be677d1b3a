"""What is remembered: facts, settings, access keys. Nobody else writes SQL."""
