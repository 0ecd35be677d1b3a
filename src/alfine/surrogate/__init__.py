"""Predictions from the results so far: Gaussian process, learning curves, noise."""
