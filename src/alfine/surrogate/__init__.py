"""What the results so far predict: Gaussian process, learning curves, noise."""
