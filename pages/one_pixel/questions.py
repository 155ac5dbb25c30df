"""What One pixel is asked, and the states of its picture that answer: a question's buttons, and what each sets."""

from __future__ import annotations

from typing import Any

ACTIVATIONS = {"sigmoid": "sigmoid", "relu": "ReLU", "gelu": "GELU"}
QUESTIONS = {
    "chain": "From z to the loss",
    "where": "Where is the distribution?",
    "sigmoid": "Why a sigmoid?",
    "softmax": "Why not a softmax?",
    "activation": "Does the hidden activation decide it?",
    "variance": "What does a learned variance add?",
    "grey": "What is a grey pixel under a coin?",
    "levels": "What if a pixel has only so many values?",
}
# The states that a question opens: their button, and what it sets.
SHOW: dict[str, dict[str, dict[str, Any]]] = {
    "where": {
        "A pixel under N(μ, 1)": {"decoder": "gaussian_identity", "a": 0.5, "sigma": 1.0, "x": 0.5},
        "The same with σ = 0.1": {"decoder": "gaussian_identity", "a": 0.5, "sigma": 0.1, "x": 0.5},
        "A pixel under a Laplace": {"decoder": "laplace", "a": 0.8, "scale": 0.3, "x": 0.5},
    },
    "sigmoid": {
        "Sure of white, and right": {"decoder": "bernoulli", "a": 4.0, "x": 1.0},
        "Sure of white, and wrong": {"decoder": "bernoulli", "a": 4.0, "x": 0.0},
        "A grey pixel": {"decoder": "bernoulli", "a": 0.0, "x": 0.5},
    },
    "activation": {
        title: {"activation": name} for name, title in ACTIVATIONS.items()
    },
    "variance": {
        "ln p above 0": {"decoder": "gaussian_learned", "a": 0.5, "x": 0.5, "log_var": -6.0},
        "Too sure": {"decoder": "gaussian_learned", "a": 0.5, "x": 0.8, "log_var": -6.0},
        "On the floor": {"decoder": "gaussian_learned", "a": 0.5, "x": 0.5, "log_var": -8.0},
        "One σ for all pixels": {"decoder": "gaussian_shared", "a": 0.5, "x": 0.8, "log_var": -3.2},
    },
    "grey": {
        "The area at λ = ½": {"decoder": "bernoulli", "a": 0.0, "x": 0.5},
        "The area at λ = 0.99": {"decoder": "bernoulli", "a": 4.595, "x": 0.5},
        "With the normaliser": {"decoder": "continuous_bernoulli", "a": 4.595, "x": 0.5},
    },
    "levels": {
        "A bell in 5 bins": {"decoder": "discretized_logistic", "a": 0.4, "log_scale": -2.0, "levels": 5, "x": 0.5},
        "In 17 bins": {"decoder": "discretized_logistic", "a": 0.4, "log_scale": -2.0, "levels": 17, "x": 0.5},
        "A softmax over levels": {"decoder": "categorical", "a": 1.0, "v": 0.0, "levels": 5, "x": 1.0},
        "Two peaks": {"decoder": "categorical", "a": 0.0, "v": 1.5, "levels": 5, "x": 0.75},
    },
}  # fmt: skip
