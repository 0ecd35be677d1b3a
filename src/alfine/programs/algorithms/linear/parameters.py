"""The hyperparameters of linear-learner, with their default values."""

from __future__ import annotations

DEFAULTS = {
    "accuracy_top_k": 3,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "bias_lr_mult": 1,
    "bias_wd_mult": 0,
    "early_stopping_patience": 3,
    "early_stopping_tolerance": 0.001,
    "epochs": 15,
    "f_beta": 1,
    "feature_dim": 0,  # all features of the data
    "huber_delta": 1,
    "init_bias": 0,
    "init_scale": 0.07,
    "init_sigma": 0.01,
    "l1": 0,
    "loss_insensitivity": 0.01,
    "lr_scheduler_factor": 0.99,
    "lr_scheduler_minimum_lr": 1e-5,
    "lr_scheduler_step": 100,
    "margin": 1,
    "mini_batch_size": 1000,
    "momentum": 0.9,
    "num_calibration_samples": 1e9,  # all
    "num_point_for_scaler": 10_000,
    "positive_example_weight_mult": 1,
    "quantile": 0.5,
    "target_precision": 0.8,
    "target_recall": 0.8,
    "wd": 0,
}
"""Values of hyperparameters that aren't given, or are «auto». Where SageMaker's documentation has a number it is that."""

LOSS_NAMES = {
    "squared_loss": "mse",
    "logistic": "binary_classification_cross_entropy",
    "softmax_loss": "multiclass_cross_entropy",
}
"""Names of losses in the log, where it isn't by the loss's own name."""


class LearnerParameters(dict[str, str]):
    """The hyperparameters as texts, with default values for those that aren't given or are «auto»."""

    def number(self, name: str) -> float:
        """Return the value of a numerical hyperparameter."""
        text = self.get(name, "auto")
        return float(text) if text != "auto" else float(DEFAULTS[name])

    def flag(self, name: str, *, auto: bool) -> bool:
        """Return whether a hyperparameter is true.

        Args:
            auto: Its value when it isn't given or is «auto».
        """
        text = self.get(name, "auto").lower()
        return auto if text == "auto" else text == "true"

    @property
    def kind(self) -> str:
        return self["predictor_type"]

    @property
    def loss(self) -> str:
        auto = {"regressor": "squared_loss", "binary_classifier": "logistic", "multiclass_classifier": "softmax_loss"}
        text = self.get("loss", "auto")
        return auto[self.kind] if text == "auto" else text

    @property
    def outputs(self) -> int:
        return int(self["num_classes"]) if self.kind == "multiclass_classifier" else 1
