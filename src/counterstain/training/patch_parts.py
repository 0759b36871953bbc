"""Which wells train, which choose, which test: the same for everything that is learned."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.errors import InvalidInputError
from counterstain.plates.splits import assign_folds
from counterstain.plates.wells import well_names

__all__ = ["PARTS", "assign_parts"]

PARTS = ("train", "validation", "test")
_KEY = ["Metadata_Plate", "Metadata_Well"]


def assign_parts(
    patches: pd.DataFrame, *, folds: int = 5, group: str = "Metadata_Well", seed: int = 0
) -> NDArray[np.str_]:
    """Deal whole wells to training, validation and test.

    Wells in no class take part, too: their images train encoders, their overlap regressors.

    Parameters
    ----------
    patches : DataFrame
        A row a patch with ``Metadata_Plate``, ``Metadata_Well``, ``class_name`` ("" for none) and
        `group`.
    folds : int, default 5
        One fold tests, one validates; a class with fewer wells gets fewer folds.
    group : str, default "Metadata_Well"
        What no two parts share.
    seed : int, default 0
        Makes the choice repeat.

    Returns
    -------
    ndarray of str, shape (N,)
        ``train``, ``validation`` or ``test`` for each patch.

    Raises
    ------
    InvalidInputError
        If there are fewer than three wells (or groups) of a class, or in all.

    Examples
    --------
    >>> table = pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": list("ABCDEF"),
    ...                       "class_name": ["x", "x", "x", "y", "y", "y"]})
    >>> parts = assign_parts(table, folds=3)
    >>> sorted(parts[:3].tolist()), sorted(parts[3:].tolist())
    (['test', 'train', 'validation'], ['test', 'train', 'validation'])
    """
    columns = list(dict.fromkeys([*_KEY, "class_name", group]))
    missing = [name for name in columns if name not in patches]
    if missing:
        raise InvalidInputError(
            f"`patches` must have the columns {columns}; it lacks {missing}: join the plate map, "
            "or choose another `group`."
        )
    wells = patches[columns].drop_duplicates(_KEY).sort_values(_KEY).reset_index(drop=True)
    fold = _fold_of_wells(wells, folds, group, seed)
    part = np.where(fold == 0, PARTS[2], np.where(fold == 1, PARTS[1], PARTS[0]))
    by_name = dict(zip(well_names(wells).tolist(), part.tolist(), strict=True))
    return np.array([by_name[name] for name in well_names(patches).tolist()], np.str_)


def _fold_of_wells(wells: pd.DataFrame, folds: int, group: str, seed: int) -> NDArray[np.int64]:
    classed = (wells["class_name"] != "").to_numpy()
    fold: NDArray[np.int64] = np.full(len(wells), -1, np.int64)
    n_folds = folds
    if classed.any():
        dealt, n_folds = assign_folds(wells, group, folds, seed)
        fold = np.asarray(dealt, np.int64)
    names = wells[group].astype(str)
    if group == "Metadata_Well":
        names = pd.Series(well_names(wells))
    # A group may hold wells of a class and wells of none: the latter go with the former.
    known = dict(zip(names[classed], fold[classed], strict=True))
    others = sorted(set(names[~classed]) - set(known))
    turns = np.random.default_rng([seed, 1]).permutation(len(others)) % n_folds
    known |= dict(zip(others, turns, strict=True))
    if n_folds < 3 or len(known) < 3 or len(set(known.values())) < 3:
        raise InvalidInputError(
            f"Each class needs three wells ({group}) or more, to train, to choose and to test; "
            f"got {len(known)} in all and {n_folds} in the smallest class: add wells, or leave "
            "the class out."
        )
    return names.map(known).to_numpy(np.int64)
