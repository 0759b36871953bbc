"""Which fold holds out each well of a screen, counting the wells that can be trained on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from counterstain.errors import InvalidInputError
from counterstain.plates.splits import assign_folds, choose_group

if TYPE_CHECKING:
    from counterstain.plates.screen import Screen

__all__ = ["fold_wells", "wells_among"]

_KEY = ["Metadata_Plate", "Metadata_Well"]


def wells_among(screen: Screen, rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which wells of a screen occur in a table of fields or crops.

    Parameters
    ----------
    screen : Screen
        What was imaged.
    rows : DataFrame
        ``Metadata_Plate`` and ``Metadata_Well`` of what can be used.

    Returns
    -------
    Series of bool
        Index of ``screen.wells``.
    """
    wells = pd.MultiIndex.from_frame(screen.wells[_KEY])
    return pd.Series(wells.isin(pd.MultiIndex.from_frame(rows[_KEY])), index=screen.wells.index)


def fold_wells(
    screen: Screen, usable: pd.Series[bool], fields: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, int]:
    """Return plate, name and fold of every well, and how many folds were made.

    Parameters
    ----------
    screen : Screen
        What was imaged; ``[split]`` says how.
    usable : Series of bool
        Wells with something to train on.
    fields : DataFrame, optional
        ``tables/fields.parquet``: reasons for a message.

    Raises
    ------
    InvalidInputError
        If a class has no well to train on; it is named with the reasons.
    """
    wells, problems = screen.wells, []
    for name in screen.class_names:
        if (usable & (wells["class_name"] == name)).any():
            continue
        reasons: Counter[str] = Counter()
        if fields is not None:
            reasons.update(fields.loc[fields["class_name"] == name, "reason"].replace("", "fine"))
        seen = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common(3))
        problems.append(
            f"{screen.path}: class {name!r} must have crops to train on; it has none"
            + (f" (its fields: {seen}): check the images" if seen else ": check `[classes]`")
            + ", `[crops]` and `[quality]`."
        )
    if problems:
        raise InvalidInputError(problems)
    config = screen.config
    group = choose_group(wells, config.split.group)
    fold, n_folds = assign_folds(
        wells, group, config.split.folds, config.run.seed, usable=usable, single=True
    )
    return wells[_KEY].assign(fold=fold), n_folds
