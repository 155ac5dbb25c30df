"""A small VAE core in which the loss is always -ln of a distribution with a name.

The names below are the public API. Those that need torch import it when first used: the page process reads specs
and runs, and must not wait for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vae_core.data import load_dataset as load_dataset
    from vae_core.elbo import elbo_terms as elbo_terms, importance_weighted_bound as importance_weighted_bound
    from vae_core.errors import SpecError as SpecError
    from vae_core.likelihoods import LIKELIHOODS as LIKELIHOODS
    from vae_core.model import VAE as VAE
    from vae_core.spec import RunSpec as RunSpec
    from vae_core.training import Snapshot as Snapshot, train as train

_MODULES = {"data": ["load_dataset"], "elbo": ["elbo_terms", "importance_weighted_bound"], "errors": ["SpecError"]}
_MODULES |= {"likelihoods": ["LIKELIHOODS"], "model": ["VAE"], "spec": ["RunSpec"], "training": ["Snapshot", "train"]}
__all__ = [name for names in _MODULES.values() for name in names]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"vae_core.{module}"), name)
    raise AttributeError(f"module 'vae_core' has no attribute {name!r}")
