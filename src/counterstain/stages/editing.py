"""One place where the screen's settings of an edit become an edit."""

from __future__ import annotations

from torch import Tensor

from counterstain.config import ScreenConfig
from counterstain.counterfactual.edits import Counterfactual, counterfactual
from counterstain.counterfactual.odds import Goal
from counterstain.networks.base import Classifier

__all__ = ["edit_as_configured"]


def edit_as_configured(
    config: ScreenConfig,
    network: Classifier,
    images: Tensor,
    pair: tuple[int, int],
    *,
    to: Goal | None = None,
) -> Counterfactual:
    """Carry images from the first class of a pair to the second as the screen asks for.

    Parameters
    ----------
    config : ScreenConfig
        Its section ``counterfactual`` is used.
    network, images : Classifier, Tensor
        As for :func:`counterstain.counterfactual.counterfactual`.
    pair : (int, int)
        Source and target class.
    to : {'median', 'upper_quartile', 'boundary'} or float, optional
        Another end than the screen's.
    """
    wanted = config.counterfactual
    return counterfactual(
        network,
        images,
        pair[1],
        source_class=pair[0],
        to=wanted.to if to is None else to,
        direction=wanted.direction,
        views=config.edit_views,
    )
