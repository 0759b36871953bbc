"""Whether the scores of held-out wells tell the classes apart at all.

Wells are permuted, never crops. Two traps are met on purpose. Scores of held-out wells lean
*against* their own class when there is nothing to learn (the well left out leaves its class a
little poorer), so that only "better than chance" is tested. And wells scored by one network share
its accidents, so that such a test rejects too often: in simulated shuffled screens (8 against 16,
12 against 12, 4 against 4 and 24 against 24 wells, four folds) p <= 0.05 came in 7 to 9 % of
screens and p <= 0.025 in 3 to 6 %. The threshold is therefore 0.02.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from counterstain.errors import InvalidInputError
from counterstain.statistics.inputs import as_class_index, as_values, warn_undefined
from counterstain.statistics.resampling import well_bootstrap
from counterstain.types import Estimate

__all__ = ["ChanceTest", "is_at_chance"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChanceTest:
    """Whether a classifier does better than chance on wells that it did not see.

    As a truth value it is `at_chance`.

    Parameters
    ----------
    statistic : str
        "AUC" for two classes, "balanced accuracy" for more.
    score : Estimate
        The statistic on wells.
    chance : float
        What chance gives: 0.5, or 1 / K.
    p_value : float
        One-sided, from permuted wells.
    at_chance : bool
        Not shown to be better than chance: there is nothing to explain.
    decidable : bool
        Whether so many wells could show it at all.
    reason : str
        One sentence that says what was found.
    """

    statistic: str
    score: Estimate
    chance: float
    p_value: float
    at_chance: bool
    decidable: bool
    reason: str

    def __bool__(self) -> bool:
        return self.at_chance

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; NaN becomes None, since JSON has no NaN."""
        p_value = None if math.isnan(self.p_value) else self.p_value
        return asdict(self) | {"score": self.score.to_json(), "p_value": p_value}


def is_at_chance(
    scores: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    seed: int,
    alpha: float = 0.02,
    n_permutations: int = 9999,
    n_resamples: int = 2000,
) -> ChanceTest:
    """Test whether wells score no better than chance, by permuting wells.

    Parameters
    ----------
    scores : array-like of float, shape (W,) or (W, K)
        Out-of-fold score of each well: for two classes the mean logit of class 1 against 0, for
        more the mean probability of each class.
    labels : array-like of str or int, shape (W,)
        Class of each well, by name or index.
    class_names : sequence of str
        The K classes in order.
    seed : int
        Seed of the permutations and of the interval.
    alpha : float
        Better than chance from this p-value down; see the module for why it is not 0.05.
    n_permutations : int
        Permutations; all of them where there are no more than this, else random ones with the
        add-one p-value.
    n_resamples : int
        Resamples of wells for the interval.

    Returns
    -------
    ChanceTest
        Where even perfect scores of so few wells could not reach `alpha` (three against three
        wells, say), `decidable` is false and `at_chance` true: a perfect order of so few wells is
        no evidence. Where a class has no well, the score is NaN with a warning.

    Raises
    ------
    InvalidInputError
        If shapes differ, a label is no class, or a score is not finite.

    References
    ----------
    Phipson & Smyth 2010, doi:10.2202/1544-6115.1585 (add-one p-values).

    Examples
    --------
    >>> found = is_at_chance([-2, -1, -3, -2, 4, 5, 3, 2], [0, 0, 0, 0, 1, 1, 1, 1],
    ...     ["diseased", "healthy"], seed=0)
    >>> found.at_chance, round(found.p_value, 4)
    (False, 0.0143)
    """
    names = [str(name) for name in class_names]
    index = as_class_index(labels, names, "labels")
    values = _as_scores(scores, index.size, len(names))
    statistic = "AUC" if len(names) == 2 else "balanced accuracy"
    chance = 1 / len(names)
    samples = [values[index == k] for k in range(len(names))]
    missing = [name for name, sample in zip(names, samples, strict=True) if sample.size == 0]
    if missing:
        reason = f"no well is of class {', '.join(missing)}, so that nothing can be told apart."
        warn_undefined(statistic, reason)
        score = Estimate.undefined(reason, index.size)
        return ChanceTest(statistic, score, chance, math.nan, True, False, reason)
    kernel = _auc if statistic == "AUC" else _balanced
    score = well_bootstrap(kernel, samples, seed=seed, n_resamples=n_resamples, share=True)
    p_value = _permute(samples, statistic, n_permutations, seed)
    smallest = _smallest_p([sample.size for sample in samples], n_permutations)
    at_chance = p_value > alpha
    reason = _sentence(statistic, score, chance, p_value, smallest, alpha)
    return ChanceTest(statistic, score, chance, p_value, at_chance, smallest <= alpha, reason)


def _as_scores(scores: ArrayLike, n_wells: int, n_classes: int) -> _Floats:
    array = np.asarray(scores)
    expected = (n_wells,) if n_classes == 2 else (n_wells, n_classes)
    if array.shape != expected:
        raise InvalidInputError(
            f"`scores` must have shape {expected} for {n_wells} wells of {n_classes} classes; got "
            f"{array.shape}: pass the mean logit for two classes, a column a class for more."
        )
    values = as_values(array.ravel(), "scores").reshape(expected)
    return values if n_classes == 2 else values.argmax(axis=1).astype(np.float64)


def _auc(first: _Floats, second: _Floats) -> _Floats:
    n, m = first.shape[1], second.shape[1]
    ranks = stats.rankdata(np.concatenate([first, second], axis=1), axis=1)
    return np.asarray((ranks[:, n:].sum(axis=1) - m * (m + 1) / 2) / (n * m))


def _balanced(*called: _Floats, axis: int = 1) -> _Floats:
    recalls = [np.mean(sample == k, axis=axis) for k, sample in enumerate(called)]
    return np.asarray(np.mean(recalls, axis=0))


def _rank_sum(first: _Floats, second: _Floats, axis: int) -> _Floats:
    return np.asarray(second.sum(axis=axis))


def _permute(samples: list[_Floats], statistic: str, n_permutations: int, seed: int) -> float:
    data = samples
    if statistic == "AUC":
        # The AUC is a rank sum moved and scaled; sums of midranks are exact, so ties stay ties.
        ranks = stats.rankdata(np.concatenate(samples))
        data = [ranks[: samples[0].size], ranks[samples[0].size :]]
    if min(sample.size for sample in samples) < 2:
        return _shuffle(data, statistic, n_permutations, seed)
    found = stats.permutation_test(
        data,
        _rank_sum if statistic == "AUC" else _balanced,
        permutation_type="independent",
        vectorized=True,
        n_resamples=n_permutations,
        batch=1000,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _shuffle(samples: list[_Floats], statistic: str, n_permutations: int, seed: int) -> float:
    """Return the add-one p-value of shuffled wells: SciPy's test wants two wells of every class."""
    kernel: Callable[..., _Floats] = partial(_rank_sum, axis=1) if statistic == "AUC" else _balanced
    ends = np.cumsum([sample.size for sample in samples])[:-1]
    pooled = np.concatenate(samples)
    rows = np.tile(pooled, (n_permutations, 1))
    drawn = np.random.default_rng(seed).permuted(rows, axis=1)
    null = kernel(*np.split(drawn, ends, axis=1))
    found = float(kernel(*np.split(pooled[None], ends, axis=1))[0])
    # Rounding must not part what is equal.
    reached = int(np.count_nonzero(null >= found - 1e-12))
    return (reached + 1) / (n_permutations + 1)


def _smallest_p(sizes: list[int], n_permutations: int) -> float:
    ways = math.factorial(sum(sizes)) // math.prod(math.factorial(size) for size in sizes)
    return 1 / min(ways, n_permutations + 1)


def _sentence(
    statistic: str, score: Estimate, chance: float, p_value: float, smallest: float, alpha: float
) -> str:
    found = f"{statistic} {score} on {score.n_wells} held-out wells, chance {chance:.2g}"
    if smallest > alpha:
        return (
            f"Too few wells to tell the classes from chance: even perfect scores would have "
            f"p = {smallest:.2g} > {alpha:g} ({found})."
        )
    if p_value > alpha:
        return (
            f"The classes are not told apart better than chance: {found}, permutation "
            f"p = {p_value:.2g}."
        )
    return f"The classes are told apart: {found}, permutation p = {p_value:.2g}."
