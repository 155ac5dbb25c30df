from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)  # what a worker has, and exact repetition needs a fixed number
settings.register_profile("core", deadline=None, derandomize=True, database=None)
settings.load_profile("core")


SLOWER = ("pages", "runs", "browser")  # folders, after the core: what is red is red early


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = lambda item: item.path.relative_to(Path(__file__).parent).parts[0]
    items.sort(key=lambda item: SLOWER.index(folder(item)) if folder(item) in SLOWER else -1)


@pytest.fixture(autouse=True)
def denormals_kept() -> Iterator[None]:
    """train() flushes denormals to zero for its whole thread; no test may depend on what ran before."""
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(False)
