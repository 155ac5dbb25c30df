from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)  # what a worker has, and exact repetition needs a fixed number
settings.register_profile("core", deadline=None, derandomize=True, database=None)
settings.load_profile("core")


@pytest.fixture(autouse=True)
def denormals_kept() -> Iterator[None]:
    """train() flushes denormals to zero for its whole thread; no test may depend on which one ran before."""
    yield
    torch.set_flush_denormal(False)
