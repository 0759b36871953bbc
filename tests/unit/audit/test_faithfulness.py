"""Insertion, deletion and ROAD rank the map that is true above edges and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve
from torch import Tensor

from counterstain.audit.faithfulness_curves import faithfulness
from counterstain.audit.imputation import impute
from counterstain.audit.reference_maps import edge_maps
from counterstain.errors import InvalidInputError

SIZE = 12


def spot(x: Tensor) -> Tensor:
    """A class for light in a corner, and one against."""
    light = x[:, 0, :4, :4].sum((1, 2)) - 6
    return torch.stack([-light, light], 1)


def images(count: int = 6) -> Tensor:
    x = 0.05 * torch.rand(count, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    x[:, :, :4, :4] += 0.8
    x[:, :, 7:10, 7:10] += 0.8
    return x


def truth(x: Tensor) -> Tensor:
    maps = torch.zeros_like(x)
    maps[:, 0, :4, :4] = x[:, 0, :4, :4]
    return maps


@pytest.mark.parametrize("scale", ["probability", "log_odds"])
def test_the_true_map_is_ahead_of_both_references(scale: Any) -> None:
    x = images()
    found = faithfulness(
        spot, x, 1, {"true": truth(x), "upside down": -truth(x)}, seed=0, scale=scale
    )
    assert list(found) == ["true", "upside down", "random", "edges"]
    true = found["true"]
    assert true.insertion_curve.shape == (6, 9)
    assert true.reasons == ("",) * 6
    for name in ("upside down", "random", "edges"):
        assert (true.insertion > found[name].insertion).all()
        assert (true.deletion < found[name].deletion).all()
        assert (true.road > found[name].road).all()
    for record in found.values():
        np.testing.assert_allclose(record.insertion_curve[:, 0], record.deletion_curve[:, -1])
        np.testing.assert_allclose(record.insertion_curve[:, -1], record.deletion_curve[:, 0])


def test_curves_are_what_they_say_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    record = faithfulness(
        lambda v: v.sum((1, 2, 3)), x, None, {"m": x}, seed=0, steps=4, scale="log_odds"
    )["m"]
    assert record.insertion_curve[0].tolist() == [0, 4, 7, 9, 10]
    assert record.deletion_curve[0].tolist() == [10, 6, 3, 1, 0]
    assert float(record.insertion[0]) == pytest.approx((0 / 2 + 4 + 7 + 9 + 10 / 2) / 4)


def test_a_class_each_image_and_minibatches_change_nothing() -> None:
    x = images()
    one = faithfulness(spot, x, 1, {"true": truth(x)}, seed=0)["true"]
    each = faithfulness(spot, x, [1] * 6, {"true": truth(x)}, seed=0, minibatch_size=4)["true"]
    np.testing.assert_allclose(one.insertion, each.insertion)
    np.testing.assert_allclose(one.road, each.road)
    mixed = faithfulness(spot, x, [1, 0] * 3, {"true": truth(x)}, seed=0)["true"]
    np.testing.assert_allclose(mixed.insertion[::2], one.insertion[::2])
    assert (mixed.insertion[1::2] < 0.5).all()


def test_a_blurred_baseline_keeps_the_mean() -> None:
    x = torch.full((2, 1, SIZE, SIZE), 0.4)
    record = faithfulness(
        lambda v: v.mean((1, 2, 3)),
        x,
        None,
        {"edges": edge_maps(images()[:2, :1])},
        seed=0,
        baseline="blurred",
        scale="log_odds",
    )["edges"]
    np.testing.assert_allclose(record.insertion_curve, 0.4, atol=1e-6)


def test_a_constant_map_is_undefined_with_a_reason() -> None:
    x = images()
    maps = truth(x)
    maps[0] = 0.5
    record = faithfulness(spot, x, 1, {"m": maps}, seed=0)["m"]
    assert np.isnan(record.insertion[0])
    assert np.isnan(record.road[0])
    assert np.isfinite(record.insertion[1:]).all()
    assert record.reasons[0] == "the map is constant: it puts no pixel first"
    assert record.reasons[1] == ""


def test_imputation_solves_the_sparse_system() -> None:
    x = torch.rand(2, 2, 9, 7, generator=torch.Generator().manual_seed(0))
    removed = torch.rand(2, 9, 7, generator=torch.Generator().manual_seed(1)) < 0.7
    filled = impute(x, removed, noise=0.0, seed=0)
    assert torch.equal(filled[~removed[:, None].expand_as(x)], x[~removed[:, None].expand_as(x)])
    for index in range(2):
        hole = np.argwhere(np.asarray(removed[index]))
        number = {tuple(place): row for row, place in enumerate(hole)}
        matrix, right = lil_matrix((len(hole), len(hole))), np.zeros((len(hole), 2))
        for (i, j), row in number.items():
            for di, dj in np.ndindex(3, 3):
                near = (i + di - 1, j + dj - 1)
                weight = {0: 0.0, 1: 1 / 6, 2: 1 / 12}[abs(di - 1) + abs(dj - 1)]
                if not (0 <= near[0] < 9 and 0 <= near[1] < 7) or weight == 0:
                    continue
                matrix[row, row] += weight
                if near in number:
                    matrix[row, number[near]] -= weight
                else:
                    right[row] += weight * np.asarray(x[index, :, near[0], near[1]])
        expected = spsolve(matrix.tocsr(), right)
        found = np.asarray(filled[index].permute(1, 2, 0))[tuple(hole.T)]
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_imputation_is_noisy_where_it_fills_and_repeats() -> None:
    x, removed = images(), torch.zeros(6, SIZE, SIZE, dtype=torch.bool)
    removed[:, 5] = True
    one, other = impute(x, removed, seed=0), impute(x, removed, seed=1)
    assert torch.equal(one, impute(x, removed, seed=0))
    assert not torch.equal(one[:, :, 5], other[:, :, 5])
    assert torch.equal(one[:, :, 6], other[:, :, 6])


X = images(2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: faithfulness(spot, X, 2, {}, seed=0), "from 0 to 1; got 2"),
        (lambda: faithfulness(spot, X, [1], {}, seed=0), "one each of 2 images; got 1"),
        (lambda: faithfulness(spot, X, 1, {"m": X[:1]}, seed=0), "of the images' shape"),
        (lambda: faithfulness(spot, X, 1, {"m": X * torch.nan}, seed=0), "without NaN"),
        (lambda: faithfulness(spot, X, 1, {}, seed=0, steps=1), "at least 2"),
        (lambda: faithfulness(spot, X, 1, {}, seed=0, road_fractions=[1.0]), "both excluded"),
        (lambda: faithfulness(spot, X, 1, {}, seed=0, baseline="grey"), "or 'blurred'"),
        (lambda: faithfulness(spot, X, 1, {}, seed=0, baseline=torch.zeros(3)), "`baseline` must"),
        (lambda: impute(X, torch.ones(2, SIZE, SIZE, dtype=torch.bool), seed=0), "remove less"),
        (lambda: impute(X, torch.ones(2, 3, 3, dtype=torch.bool), seed=0), "one mask each"),
    ],
)
def test_bad_input_is_refused_in_words(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        call()
