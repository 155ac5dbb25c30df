"""Draws from q on the two pixels: their importance weights, the bound of their average, and what draws cannot show."""

from __future__ import annotations

import math

import numpy as np

from vae_core.lessons.two_pixels import COUNT, REACH, Decoder, Q, log_evidence, log_joint, log_sum_exp

SELDOM = 4.9  # beyond so many s from m not one draw of q in a million falls


def log_weights(decoder: Decoder, x: np.ndarray, q: Q, eps: np.ndarray) -> np.ndarray:
    """ln w = ln p(x|z,w) + ln p(z) - ln q(z) at z = m + s eps: (..., K) -> (..., K)."""
    z = q.m + q.s * np.asarray(eps, np.float64)
    return log_joint(decoder, x, z) - q.log_prob(z)


def importance_weighted_bound(log_weights: np.ndarray) -> np.ndarray:
    """ln (1/K) sum of w_k over the last axis: (..., K) -> (...). Burda et al. 2016, eq. 8."""
    return log_sum_exp(log_weights) - math.log(log_weights.shape[-1])


def effective_draws(log_weights: np.ndarray) -> np.ndarray:
    """(sum w)^2 / sum w^2 over the last axis, from 1 to K: how many of the draws count. Kong 1992."""
    return np.exp(2 * log_sum_exp(log_weights) - log_sum_exp(2 * log_weights))


def reach(decoder: Decoder, x: np.ndarray, q: Q) -> tuple[float, float]:
    """Of draws within m +- SELDOM s, which is all that many draws show: the share of them that counts, E_q[w]^2 /
    E_q[w^2], low where the weights have a heavy tail; and the posterior's mass outside."""
    count = math.ceil(SELDOM * q.s / min(2 * REACH / (COUNT - 1), q.s / 16))
    step = SELDOM * q.s / count
    z = q.m + step * np.arange(-count, count + 1)
    joint = log_joint(decoder, x, z)
    joint[[0, -1]] -= math.log(2)  # the trapezoid's ends
    seen, squares = log_sum_exp(joint), log_sum_exp(2 * joint - q.log_prob(z))
    share = np.exp(2 * seen + math.log(step) - squares)
    return float(share), float(1 - np.exp(seen + math.log(step) - log_evidence(decoder, x)))
