"""From the pixels of a field to the masks of its two kinds of cells, as the configuration asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterstain.config import OverlapConfig
from counterstain.errors import InvalidInputError
from counterstain.masks.cell_split import split_cells
from counterstain.masks.kmeans import kmeans_mask
from counterstain.masks.label_import import import_labels, read_labels
from counterstain.masks.overlap_faulty import find_debris, without_debris
from counterstain.masks.overlap_fields import FieldMasks
from counterstain.masks.thresholds import image_fault, threshold_mask
from counterstain.statistics.inputs import undefined_noted

if TYPE_CHECKING:
    from counterstain.masks.unet import UNetSegmenter

__all__ = ["FieldMasker"]

_KEY = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
_Labels = NDArray[np.int32]

# Any level halves noise, too: the two means then lie 2.3 (mean + SD) to 2.8 (Otsu) standard
# deviations of the dark part from each other; those of stained cells lie 10 and more.
_MIN_CONTRAST = 4.0


class FieldMasker:
    """Makes the masks of one field after the other; keeps none of them.

    Parameters
    ----------
    settings : OverlapConfig
        The section ``[overlap]``.
    channels : sequence of str
        Channels of the fields.
    fields : DataFrame
        A row per field, as in ``Screen.fields``; label images are looked for by it.
    seed : int
        Seed of k-means' start.

    Attributes
    ----------
    kinds : (str, str)
        Names of the two channels.
    notes : tuple of str
        What a user should know of imported label images.

    Raises
    ------
    InvalidInputError
        If there is only one channel, or label images are of another size, hold no labels, or belong
        to no field; all problems at once.
    MissingFileError
        If weights or the folder of label images are not there.

    Examples
    --------
    >>> masker = FieldMasker(OverlapConfig(patch=16), ["T cells", "dendritic cells"])
    >>> field = np.full((2, 64, 64), 10, np.uint16)
    >>> field[0, 8:16, 8:16] = field[1, 8:32, 8:32] = 900
    >>> masks = masker.masks(field, {"Metadata_Well": "A01"})
    >>> int(masks.mask_a.max()), int((masks.mask_b > 0).sum()), masks.fault
    (1, 576, '')
    """

    def __init__(
        self,
        settings: OverlapConfig,
        channels: Sequence[str],
        fields: pd.DataFrame | None = None,
        seed: int = 0,
    ) -> None:
        names = list(channels)
        if len(names) < 2:
            raise InvalidInputError(
                f"`images.channels` must name two channels, one a kind of cell; got {names}: "
                "overlap is between two channels of the same field."
            )
        self.kinds = settings.kinds(names)
        self.indices = tuple(names.index(name) for name in self.kinds)
        self.notes: tuple[str, ...] = ()
        self._settings, self._seed = settings, seed
        self._networks: list[UNetSegmenter] = []
        self._paths: dict[tuple[Any, ...], str] = {}
        if settings.masks == "unet":
            self._networks = [_load(path) for path in settings.weights]
        if settings.masks == "labels":
            self._find_labels(fields)

    def masks(self, pixels: NDArray[Any], metadata: Mapping[str, Any]) -> FieldMasks:
        """Make the masks of a field.

        Parameters
        ----------
        pixels : (C, H, W) array of numbers
            Grey values of all channels.
        metadata : mapping
            Columns that say which field it is.

        Returns
        -------
        FieldMasks
            Label images of both kinds, debris, and what is wrong with the field.
        """
        planes = pixels[list(self.indices)]
        fault = self._unlabelled(metadata) or self._fault(planes)
        if fault:
            empty = np.zeros(planes.shape[1:], np.int32)
            return FieldMasks(empty, empty, metadata, None, fault)
        debris = find_debris(planes)
        with undefined_noted():
            labels = self._labels(without_debris(planes, debris), metadata)
        return FieldMasks(*labels, metadata, debris)

    def _unlabelled(self, metadata: Mapping[str, Any]) -> str:
        """Name the kinds of which a field has no label image; empty where none lacks."""
        if self._settings.masks != "labels":
            return ""
        key = tuple(metadata[name] for name in _KEY)
        absent = [name for kind, name in enumerate(self.kinds) if (*key, kind) not in self._paths]
        return f"no label image of {' and '.join(absent)}" if absent else ""

    def _fault(self, planes: NDArray[Any]) -> str:
        for name, plane in zip(self.kinds, planes, strict=True):
            fault = image_fault(plane, saturation=self._settings.saturation)
            if fault:
                return f"{name}: {fault}"
        return ""

    def _labels(self, planes: NDArray[Any], metadata: Mapping[str, Any]) -> tuple[_Labels, _Labels]:
        settings = self._settings
        if settings.masks == "labels":
            return self._imported(metadata, planes.shape[1:])
        if settings.masks == "unet":
            first, last = self._networks[0], self._networks[-1]
            return _instances(first, planes), _instances(last, planes[::-1])
        return self._cells(planes[0]), self._cells(planes[1])

    def _cells(self, plane: NDArray[Any]) -> _Labels:
        settings = self._settings
        if settings.masks == "kmeans":
            mask = kmeans_mask(plane, self._seed)
        else:
            mask = threshold_mask(
                plane,
                settings.threshold,
                sd_factor=settings.sd_factor,
                window=settings.window,
                smoothing=settings.smoothing,
                min_area=settings.min_area,
            )
        given = settings.masks == "threshold" and isinstance(settings.threshold, float)
        if not given and not _stands_out(plane, mask):
            return np.zeros(plane.shape, np.int32)
        return split_cells(mask)

    def _find_labels(self, fields: pd.DataFrame | None) -> None:
        settings = self._settings
        found = import_labels(
            settings.labels_root or Path(),
            settings.labels_pattern or "",
            channels=settings.labels_channels or self.kinds,
            plate=_only_plate(fields),
            fields=fields,
        )
        written = settings.labels_channels or self.kinds
        for row in found.table.to_dict("records"):
            if row["channel"] in written and row["path"]:
                kind = written.index(row["channel"])
                self._paths[(*(row[name] for name in _KEY), kind)] = str(row["path"])
        self.notes = found.notes
        if not self._paths:
            raise InvalidInputError(
                f"`overlap.labels_pattern` must hold {{channel}}, written as {list(written)}; "
                f"{settings.labels_pattern!r} finds {len(found.table)} label image(s), of neither "
                "kind: correct the pattern, or `overlap.labels_channels`."
            )

    def _imported(
        self, metadata: Mapping[str, Any], shape: tuple[int, ...]
    ) -> tuple[_Labels, _Labels]:
        key = tuple(metadata[name] for name in _KEY)
        size = (shape[0], shape[1])
        return (
            read_labels(self._paths[(*key, 0)], size),
            read_labels(self._paths[(*key, 1)], size),
        )


def _stands_out(plane: NDArray[Any], mask: NDArray[np.bool_]) -> bool:
    """Whether a mask shows cells rather than the brighter half of noise."""
    share = float(mask.mean())
    if not 0 < share < 1:
        return False
    inside, outside = plane[mask], plane[~mask]
    apart = float(inside.mean(dtype=np.float64) - outside.mean(dtype=np.float64))
    return apart > _MIN_CONTRAST * float(outside.std(dtype=np.float64))


def _load(path: Path) -> UNetSegmenter:
    # PyTorch takes seconds to import: only where a network segments.
    from counterstain.masks.unet import UNetSegmenter

    segmenter = UNetSegmenter.load(path)
    if len(segmenter.channels) > 2:
        raise InvalidInputError(
            f"`overlap.weights` must be a U-Net of one or two channels (the own kind, the other); "
            f"{path} has {list(segmenter.channels)}: train one on such fields."
        )
    return segmenter


def _instances(segmenter: UNetSegmenter, planes: NDArray[Any]) -> _Labels:
    """Segment the first of two planes; the other is shown to a network that knows two."""
    return segmenter.instances(planes[: len(segmenter.channels)])


def _only_plate(fields: pd.DataFrame | None) -> str:
    plates = [] if fields is None else fields["Metadata_Plate"].unique().tolist()
    return str(plates[0]) if len(plates) == 1 else ""
