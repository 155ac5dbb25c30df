"""The latent page without a browser."""

from __future__ import annotations

import pytest

VIEWS = ["walk", "traversals", "image", "between", "new", "compare"]


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_draws(open_page, view: str) -> None:
    page = open_page("latent", view=view)
    assert not page.error and not page.warning
