"""Analyses of recorded tuning jobs: replays, advice on criteria, similar jobs, the next job, tables of results."""
