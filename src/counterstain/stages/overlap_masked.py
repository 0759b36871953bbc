"""Masked patches: a store beside the plain one, with everything outside of the masks removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from counterstain.plates.store import CropStore, CropWriter

__all__ = ["write_masked"]

_BLOCK = 256


def write_masked(plain: Path, masked: Path) -> None:
    """Write the masked patches of a store, in the same order and on the same scale.

    Outside of a kind's mask its channel takes the grey value that is 0 on the scale of the plate.

    Parameters
    ----------
    plain : Path
        A store of patches whose regions hold 1 for the first kind plus 2 for the second.
    masked : Path
        The store to make.
    """
    with CropStore.open(plain) as store:
        writer = CropWriter(masked, store.shape[1:], store.dtype)
        ground = np.rint(store.scaling.low).astype(store.dtype)
        for plate in range(len(store.plates)):
            members = np.flatnonzero(store.plate_index == plate)
            for start in range(0, len(members), _BLOCK):
                ids = members[start : start + _BLOCK]
                pixels, regions = store.pixels(ids), store.nuclei(ids)
                inside = np.stack([regions & 1, regions & 2], axis=1) > 0
                empty = ground[plate][None, :, None, None]
                writer.append(np.where(inside, pixels, empty), regions, plate=plate)
        attrs = {key: value for key, value in store.attrs.items() if key != "scaling"}
        writer.close(attrs, store.scaling)
