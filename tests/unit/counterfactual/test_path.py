"""The whole path across a boundary, and the views it may be averaged over."""

from __future__ import annotations

import pytest
import torch

from counterstain.counterfactual import boundary_path
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network
from counterstain.networks.views import average_of_views, choose_views


def network():
    torch.manual_seed(0)
    built = build_network("coupling", channels=1, size=16, n_classes=2, hidden=8, blocks=1)
    built.train().class_logits(torch.rand(8, 1, 16, 16))
    return built.eval()


def test_a_path_passes_every_log_odds_in_turn() -> None:
    images = torch.rand(3, 1, 16, 16)
    path = boundary_path(
        network(), images, 1, source_class=0, log_odds=[-0.5, 0.0, 0.5], direction="normal"
    )
    assert path.images.shape == (3, 3, 1, 16, 16)
    wanted = torch.tensor([-0.5, 0.0, 0.5])[:, None].expand(3, 3)
    torch.testing.assert_close(path.log_odds, wanted, atol=1e-3, rtol=0)
    assert bool(path.credible.all())
    assert bool((path.error_bound < 1e-4).all())


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="`log_odds` must hold at least one value"):
        boundary_path(network(), torch.rand(1, 1, 16, 16), 1, log_odds=[])


@pytest.mark.parametrize("count", [1, 3, 8])
def test_views_come_back_to_where_they_were(count) -> None:
    image, views = torch.rand(2, 3, 16, 16), choose_views(count)
    assert len(set(views)) == count
    for view in views:
        assert torch.equal(view.back(view.of(image)), image)
    again = average_of_views(views, [view.of(image) for view in views])
    torch.testing.assert_close(again, image)
