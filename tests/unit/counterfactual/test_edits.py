"""Edits end where they are asked to, and refuse what they cannot do."""

from __future__ import annotations

import pytest
import torch

from counterstain.counterfactual import counterfactual
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network


def network(n_classes: int = 3):
    torch.manual_seed(0)
    built = build_network(
        "coupling", channels=2, size=8, n_classes=n_classes, hidden=8, blocks=2
    ).train()
    built.class_logits(torch.rand(8, 2, 8, 8))
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return built.eval()


@pytest.mark.parametrize("goal", [-1.0, 0.0, 2.5])
def test_an_edit_reaches_the_log_odds_it_is_asked_for_also_after_encoding_again(
    goal: float,
) -> None:
    built, images = network(), torch.rand(5, 2, 8, 8)
    edit = counterfactual(built, images, 2, source_class=0, to_logit=goal)
    torch.testing.assert_close(edit.logit_after, torch.full((5,), goal), atol=1e-3, rtol=0)
    again = built.class_logits(edit.images).detach()
    torch.testing.assert_close(again[:, 2] - again[:, 0], edit.logit_after, atol=1e-2, rtol=1e-3)


def test_an_edit_to_where_an_image_is_changes_nothing() -> None:
    built, image = network(), torch.rand(1, 2, 8, 8)
    logits = built.class_logits(image).detach()
    here = float(logits[0, 1] - logits[0, 0])
    edit = counterfactual(built, image, 1, source_class=0, to_logit=here)
    torch.testing.assert_close(edit.images, image, atol=1e-5, rtol=0)


def test_bad_requests_are_refused() -> None:
    built, images = network(2), torch.rand(1, 2, 8, 8)
    with pytest.raises(InvalidInputError, match="`target_class` must be a class index from 0 to 1"):
        counterfactual(built, images, 2, source_class=0)
    with pytest.raises(InvalidInputError, match="must differ from `source_class`; both are 1"):
        counterfactual(built, images, 1, source_class=1)
    with pytest.raises(InvalidInputError, match=r"\(N, 2, 8, 8\); got \(1, 3, 8, 8\)"):
        counterfactual(built, torch.rand(1, 3, 8, 8), 1, source_class=0)
    plain = build_network("resnext50", channels=2, size=32, n_classes=2, pretrained=False)
    with pytest.raises(InvalidInputError, match="must be invertible; got 'resnext50'"):
        counterfactual(plain, images, 1, source_class=0)
