"""The parts of linear-learner's training script: hyperparameters, data, model, losses, metrics, and the threshold of a classifier."""
