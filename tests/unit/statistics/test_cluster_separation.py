"""Clusters by well: agreement with scikit-learn, and wells that would fool a naive measure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from counterstain.errors import InvalidInputError, UndefinedStatisticWarning
from counterstain.statistics.cluster_separation import cluster_separation


def test_with_a_well_a_point_it_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    points = rng.normal(size=(90, 4)) + labels[:, None]
    found = cluster_separation(points, {"x": labels}, np.arange(90), seed=0, neighbours=5)["x"]
    assert found.silhouette == pytest.approx(silhouette_score(points, labels), abs=1e-5)
    nearest = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(points)[1][:, 1:]
    assert found.purity == pytest.approx((labels[nearest] == labels[:, None]).mean())
    assert (found.n_rows, found.n_wells, found.n_labels) == (90, 90, 3)


def test_wells_that_are_clusters_are_no_clusters_of_labels() -> None:
    # Each well lies somewhere of its own; labels were dealt to wells without looking.
    rng = np.random.default_rng(1)
    wells = np.repeat(np.arange(24), 10)
    labels = rng.permutation(np.repeat([0, 1], 12))[wells]
    points = 10 * rng.normal(size=(24, 6))[wells] + rng.normal(size=(240, 6))
    naive = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(points)[1][:, 1:]
    assert (labels[naive] == labels[:, None]).mean() > 0.99
    found = cluster_separation(points, {"x": labels}, wells, seed=0, neighbours=5)["x"]
    assert found.purity < 0.7
    assert found.purity_p > 0.05
    assert found.silhouette_p > 0.05


def test_p_values_are_uniform_where_labels_mean_nothing() -> None:
    rng = np.random.default_rng(2)
    wells = np.repeat(np.arange(12), 4)
    found = []
    for _ in range(60):
        points = rng.normal(size=(12, 3))[wells] + 0.3 * rng.normal(size=(48, 3))
        labels = rng.permutation(np.repeat([0, 1], 6))[wells]
        one = cluster_separation(points, {"x": labels}, wells, seed=0, n_shuffles=19, neighbours=5)
        found.append((one["x"].purity_p, one["x"].silhouette_p))
    assert np.all(np.abs(np.mean(found, axis=0) - 0.5) < 0.15)


def test_labels_that_differ_within_wells_are_shuffled_well_by_well() -> None:
    rng = np.random.default_rng(3)
    wells = np.repeat(np.arange(20), 6)
    faulty = rng.random(120) < 0.2
    points = rng.normal(size=(120, 3)) + 6 * faulty[:, None]
    found = cluster_separation(points, {"faulty": faulty}, wells, seed=0, neighbours=5)["faulty"]
    assert found.purity > 0.9
    assert found.purity_p == 1 / 200
    assert 0.5 < found.purity_chance < 0.75
    again = cluster_separation(points, {"faulty": faulty}, wells, seed=0, neighbours=5)["faulty"]
    assert again == found


def test_what_has_no_answer_is_nan_with_a_reason() -> None:
    points = np.zeros((6, 2))
    with pytest.warns(UndefinedStatisticWarning, match="one label"):
        one = cluster_separation(points, {"x": [1] * 6}, [0, 0, 1, 1, 2, 2], seed=0)["x"]
    assert math.isnan(one.purity)
    assert one.to_json()["purity"] is None
    with pytest.warns(UndefinedStatisticWarning, match="three wells"):
        cluster_separation(points, {"x": [0, 1] * 3}, [0, 0, 0, 1, 1, 1], seed=0)
    # Each label is in one well only: nothing to be near to in another.
    only = cluster_separation(
        np.arange(6.0)[:, None], {"x": [0, 0, 1, 1, 2, 2]}, [0, 0, 1, 1, 2, 2], seed=0
    )["x"]
    assert math.isnan(only.silhouette)
    assert math.isnan(only.silhouette_p)


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="finite numbers"):
        cluster_separation([[np.nan], [0.0]], {}, [0, 1], seed=0)
    with pytest.raises(InvalidInputError, match=r"labels\['x'\].*each of the 2 points; got 1"):
        cluster_separation([[1.0], [0.0]], {"x": [1]}, [0, 1], seed=0)
    with pytest.raises(InvalidInputError, match="1 or more; got 0 and 5"):
        cluster_separation([[1.0], [0.0]], {}, [0, 1], seed=0, neighbours=0, n_shuffles=5)
