"""Edits end where they are asked to, stay inside the data, and refuse what they cannot do."""

from __future__ import annotations

import pytest
import torch

from counterstain.counterfactual import counterfactual
from counterstain.counterfactual.edits import Editor, contrast_of
from counterstain.errors import InvalidInputError
from counterstain.networks import build_network
from counterstain.networks.views import choose_views


def network(n_classes: int = 3, **names):
    torch.manual_seed(0)
    built = build_network(
        "coupling", channels=2, size=8, n_classes=n_classes, hidden=8, blocks=2, **names
    ).train()
    built.class_logits(torch.rand(8, 2, 8, 8))
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return built.eval()


def trained(n_classes: int = 3, **names):
    """A network that has seen 200 noise images of the range 0 to 1."""
    built = network(n_classes, **names)
    images = torch.rand(200, 2, 8, 8)
    domain = built.domain
    domain.set_intensities(torch.zeros(2), torch.ones(2))
    with torch.no_grad():
        profile = built.profile(images)
        domain.latent_covariance.copy_(torch.cov(profile.T))
        domain.latent_means.copy_(profile.mean(0) + built.class_means)
        domain.typicality_low.copy_(built.typicality(images).min())
    domain.median_log_odds.copy_(0.7 * (1 - torch.eye(n_classes)))
    domain.quartile_log_odds.copy_(0.9 * (1 - torch.eye(n_classes)))
    domain.median_rest_odds.fill_(0.4)
    return built


@pytest.mark.parametrize("direction", ["pattern", "normal", "typical"])
@pytest.mark.parametrize("probability", [0.3, 0.5, 0.9])
def test_an_edit_reaches_the_probability_it_is_asked_for(direction, probability) -> None:
    built, images = trained(), torch.rand(5, 2, 8, 8)
    goal = torch.tensor(probability).logit().expand(5)
    edit = counterfactual(
        built, images, 2, source_class=0, to=probability, direction=direction, stop_at_data=False
    )
    torch.testing.assert_close(edit.logit_after, goal, atol=2e-3, rtol=0)
    again = built.class_logits(edit.images).detach()
    torch.testing.assert_close(again[:, 2] - again[:, 0], edit.logit_after, atol=1e-4, rtol=1e-3)


def test_the_median_is_that_of_training() -> None:
    built, images = trained(), torch.rand(4, 2, 8, 8)
    pair = counterfactual(built, images, 1, source_class=2, stop_at_data=False)
    torch.testing.assert_close(pair.logit_after, torch.full((4,), 0.7), atol=2e-3, rtol=0)
    clear = counterfactual(
        built, images, 1, source_class=2, to="upper_quartile", stop_at_data=False
    )
    torch.testing.assert_close(clear.logit_after, torch.full((4,), 0.9), atol=2e-3, rtol=0)
    boundary = counterfactual(built, images, 1, source_class=2, to="boundary", stop_at_data=False)
    torch.testing.assert_close(boundary.logit_after, torch.zeros(4), atol=2e-3, rtol=0)


def test_one_against_the_rest_reaches_the_odds_against_all_others() -> None:
    built, images = trained(4), torch.rand(6, 2, 8, 8)
    calls = built.class_logits(images).argmax(1)
    others = images[calls != 1]
    edit = counterfactual(built, others, 1, to=0.6, stop_at_data=False)
    reached = built.class_logits(edit.images).softmax(1)[:, 1]
    torch.testing.assert_close(reached, torch.full_like(reached, 0.6), atol=0.03, rtol=0)


def test_what_averaging_over_views_falls_short_of_is_made_up_for() -> None:
    built, images = trained(), torch.rand(5, 2, 8, 8)
    goal = torch.tensor(0.8).logit()
    editor = Editor(contrast_of(built, 2, 0), images, "pattern", choose_views(8))
    plain = editor.log_odds_at(goal - editor.before)
    corrected = editor.log_odds_at(editor.distance_to(goal.expand(5)))
    assert bool(((corrected - goal).abs() < 0.6 * (plain - goal).abs()).all())


def test_an_edit_to_where_an_image_is_changes_nothing() -> None:
    built, image = network(), torch.rand(1, 2, 8, 8)
    logits = built.class_logits(image).detach()
    here = float((logits[0, 1] - logits[0, 0]).sigmoid())
    edit = counterfactual(built, image, 1, source_class=0, to=here, direction="normal")
    torch.testing.assert_close(edit.images, image, atol=1e-4, rtol=0)


def test_an_edit_stops_before_it_leaves_the_data_and_says_so() -> None:
    built, images = trained(), torch.rand(5, 2, 8, 8)
    far = counterfactual(built, images, 2, source_class=0, to=1 - 1e-7)
    free = counterfactual(built, images, 2, source_class=0, to=1 - 1e-7, stop_at_data=False)
    assert bool(far.stopped.any())
    assert not bool(free.stopped.any())
    assert bool((far.logit_after[far.stopped] < free.logit_after[far.stopped]).all())
    floor = torch.minimum(built.domain.typicality_low, built.typicality(images).detach())
    assert bool((built.typicality(far.images) >= floor - 1e-2).all())
    assert not bool(built.domain.outside(far.images).any())


def test_the_pattern_costs_less_likelihood_than_the_normal_for_the_same_gain() -> None:
    built, images = trained(), torch.rand(5, 2, 8, 8)
    contrast = contrast_of(built, 2, 0)
    logits, means = built.logits_and_profile(images)
    precision = torch.linalg.pinv(built.domain.latent_covariance)
    cost = {}
    for direction in ("pattern", "normal"):
        step = contrast.step(direction, logits)
        gained = contrast.log_odds(built.logits_of_means(means + step)) - contrast.log_odds(logits)
        torch.testing.assert_close(gained, torch.ones(5), atol=1e-3, rtol=0)
        cost[direction] = ((step @ precision) * step).sum(1)
    assert bool((cost["pattern"] < cost["normal"]).all())


def test_the_bound_covers_the_true_error_of_a_move_and_back() -> None:
    built, images = trained(), torch.rand(5, 2, 8, 8)
    editor = Editor(contrast_of(built, 1, 0), images, "pattern", choose_views(4))
    decoded = editor.at(torch.zeros(5))
    error = (decoded.images - images).abs().flatten(1).amax(1)
    assert bool((error <= decoded.error_bound + 1e-6).all())


def test_bad_requests_are_refused() -> None:
    built, images = network(2, class_names=["ill", "well"]), torch.rand(1, 2, 8, 8)
    with pytest.raises(InvalidInputError, match="`target_class` must be a class index from 0 to 1"):
        counterfactual(built, images, 2, source_class=0)
    with pytest.raises(InvalidInputError, match=r"one of \['ill', 'well'\]; got 'sick'"):
        counterfactual(built, images, "sick", source_class=0)
    with pytest.raises(InvalidInputError, match="must differ from `source_class`; both are 1"):
        counterfactual(built, images, "well", source_class=1)
    with pytest.raises(InvalidInputError, match=r"\(N, 2, 8, 8\); got \(1, 3, 8, 8\)"):
        counterfactual(built, torch.rand(1, 3, 8, 8), 1, source_class=0, to="boundary")
    with pytest.raises(InvalidInputError, match='"median" needs a trained network'):
        counterfactual(built, images, 1, source_class=0, direction="normal")
    with pytest.raises(InvalidInputError, match='"typical" needs a trained network'):
        counterfactual(built, images, 1, source_class=0, to="boundary")
    for to in (0.0, 1.0, 7, "mean"):
        with pytest.raises(InvalidInputError, match='`to` must be "boundary", "median", "upper_q'):
            counterfactual(built, images, 1, source_class=0, to=to)
    with pytest.raises(InvalidInputError, match="`direction` must be one of"):
        counterfactual(built, images, 1, source_class=0, to="boundary", direction="up")
    plain = build_network("resnext50", channels=2, size=32, n_classes=2, pretrained=False)
    with pytest.raises(InvalidInputError, match="must run both ways; got 'resnext50'"):
        counterfactual(plain, images, 1, source_class=0)


def test_an_image_of_the_target_class_is_refused_against_the_rest() -> None:
    built, images = trained(2), torch.rand(6, 2, 8, 8)
    with torch.no_grad():
        built.class_means[1] += 2 * built.profile(images).mean(0) - built.class_means[0]
    called = int(built.class_logits(images).argmax(1)[0])
    with pytest.raises(InvalidInputError, match="must not be the class an image has already"):
        counterfactual(built, images[:1], called, to="boundary")


@pytest.mark.parametrize("change", [lambda x: x * 255, lambda x: x + 5, lambda x: x / 0])
def test_intensities_outside_the_trained_range_are_refused(change) -> None:
    with pytest.raises(InvalidInputError, match="intensities as in training, 0 to 1; got"):
        counterfactual(trained(), change(torch.rand(3, 2, 8, 8)), 1, source_class=0)


def test_channels_in_another_order_are_refused() -> None:
    built, images = trained(channel_names=["DNA", "GFP"]), torch.rand(1, 2, 8, 8)
    counterfactual(built, images, 1, source_class=0, channels=["DNA", "GFP"])
    with pytest.raises(InvalidInputError, match="put the image channels in that order"):
        counterfactual(built, images, 1, source_class=0, channels=["GFP", "DNA"])
    with pytest.raises(InvalidInputError, match="pass those channels"):
        counterfactual(built, images, 1, source_class=0, channels=["DNA", "Actin"])
