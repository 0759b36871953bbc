"""The networks of a run, loaded once; and which of them may speak about a crop."""

from __future__ import annotations

import threading

import torch

from counterstain.errors import CounterstainError, InvalidInputError
from counterstain.explorer.run_reading import ExplorerRun
from counterstain.networks.base import Classifier
from counterstain.networks.checkpoint import load_network
from counterstain.stages.reasons import why_no_pictures

__all__ = ["RunNetworks"]


class RunNetworks:
    """Networks by fold.

    Parameters
    ----------
    run : ExplorerRun
        Of crops; the autoencoder of a co-culture has no classes to walk between.

    Attributes
    ----------
    lock : threading.RLock
        Held while a network works: two at once on a few cores are both slower.
    """

    def __init__(self, run: ExplorerRun) -> None:
        self._run, self._loaded = run, {}  # type: tuple[ExplorerRun, dict[int, Classifier]]
        self.lock = threading.RLock()
        self.folds = sorted(
            int(path.stem.removeprefix("fold_"))
            for path in run.folder.models.glob("fold_*.json")
            if path.stem.removeprefix("fold_").isdigit()
        )

    def why_none(self) -> str:
        """Return why no network can be asked at all; else empty."""
        if self._run.kind != "crops":
            return "Patches of a co-culture have no boundary between two classes to cross."
        if not self.folds:
            return "models/ holds no network: the run has not come so far."
        if self._run.config is None:
            return self._run.missing.get("config", "The configuration cannot be read.")
        if self._run.pixels is None:
            return self._run.missing.get("pixels", "The pixel store cannot be read.")
        return ""

    def why_no_edit(self) -> str:
        """Return why no crop can be carried across the boundary; else empty.

        The same reasons as for the counterfactuals of the report: a live page must not show what
        the report withholds.
        """
        reason = self.why_none()
        run = self._run
        if reason or run.config is None:
            return reason
        if "nothing_to_explain" not in run.metrics:
            return "metrics.json does not say yet whether the classes can be told apart."
        try:
            return why_no_pictures(
                run.config, run.folder, dict(run.metrics), "no cell is carried across its boundary"
            )
        except (CounterstainError, KeyError, OSError) as error:
            return f"The recipe of the network cannot be read ({type(error).__name__})."

    def fold_of(self, item: int) -> int:
        """Return the fold whose network never saw the well of a crop.

        Wells in no class were seen by none: the first network speaks, as in the report.

        Raises
        ------
        InvalidInputError
            If that fold has no network.
        """
        fold = int(self._run.catalogue.items["fold"].iloc[item])
        if fold < 0 and self.folds:
            return self.folds[0]
        if fold not in self.folds:
            raise InvalidInputError(
                f"The network of fold {fold}, which never saw this well, is not in models/: go on "
                "with the run by --resume. Another network would have learnt this well by heart."
            )
        return fold

    def get(self, fold: int) -> Classifier:
        """Return a network, loaded at first use.

        Raises
        ------
        InvalidInputError
            If its files are missing or damaged.
        """
        with self.lock:
            if fold not in self._loaded:
                run = self._run
                network, _ = load_network(run.folder.models / f"fold_{fold}", channels=run.channels)
                self._loaded[fold] = network
            return self._loaded[fold]

    def pixels_of(self, items: list[int]) -> torch.Tensor:
        """Return scaled crops ``(N, C, H, W)``.

        Raises
        ------
        InvalidInputError
            If the pixel store cannot be read.
        """
        if self._run.pixels is None:
            raise InvalidInputError(self._run.missing.get("pixels", "There are no pixels."))
        return torch.from_numpy(self._run.pixels.read(items)[0])
