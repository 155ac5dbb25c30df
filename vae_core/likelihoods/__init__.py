"""p(x|z,w): what the decoder's numbers mean.

A decoder is a deterministic network. Its raw outputs f(z,w) are the *parameters* of a distribution over
images, and each class here says of which one. Pixels are independent given z, so the log-likelihood of an
image is a sum over its pixels.

To add a decoder: write one class with these verbs and add it to LIKELIHOODS; its words, in
`assets/explanations/<key>.md`; its entry in `pages/shared/likelihoods.js`, for every page that computes in the browser;
and its row in the tests' SCIPY. A test says what of these is missing.
"""

from vae_core.likelihoods.base import LN_2PI as LN_2PI, Likelihood as Likelihood, Support as Support
from vae_core.likelihoods.bernoullis import Bernoulli as Bernoulli, ContinuousBernoulli as ContinuousBernoulli
from vae_core.likelihoods.gaussians import (
    GaussianIdentity as GaussianIdentity,
    GaussianLearned as GaussianLearned,
    GaussianShared as GaussianShared,
)
from vae_core.likelihoods.laplace import Laplace as Laplace
from vae_core.likelihoods.levels import Categorical as Categorical, DiscretizedLogistic as DiscretizedLogistic

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian_identity": GaussianIdentity,
    "gaussian_learned": GaussianLearned,
    "laplace": Laplace,
    "gaussian_shared": GaussianShared,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretized_logistic": DiscretizedLogistic,
    "categorical": Categorical,
}
