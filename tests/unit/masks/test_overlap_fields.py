from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.masks.contact_excess import excess_contacts
from counterstain.masks.mask_overlap import overlap
from counterstain.masks.overlap_excess import excess_overlap
from counterstain.masks.overlap_fields import FieldMasks, measure_field, measure_fields
from counterstain.masks.overlap_wells import overlap_by_well


def field(seed: int = 0, fault: str = "", **metadata: object) -> FieldMasks:
    rng = np.random.default_rng(seed)
    points = rng.random((2, 160, 160)) < [[[0.004]], [[0.001]]]
    a, b = (ndimage.binary_dilation(p, iterations=i) for p, i in zip(points, (3, 6), strict=True))
    return FieldMasks(a, b, metadata, fault=fault)


def test_a_row_holds_what_the_single_functions_say() -> None:
    masks = field(Metadata_Well="B02")
    row = measure_field(masks, patch_px=40, n_patches=16).row
    assert row["Metadata_Well"] == "B02"
    assert row["iou"] == overlap(masks.mask_a, masks.mask_b).iou
    beyond = excess_overlap(masks.mask_a, masks.mask_b, null="local")
    assert row["iou_above_chance"] == beyond.iou_above_chance
    assert row["null"] == "local"
    assert "n_a" not in row


def test_patches_are_summed_and_counted() -> None:
    found = measure_field(field(Metadata_Well="B02"), patch_px=40, n_patches=None)
    assert found.row["patch_iou_sum"] == pytest.approx(found.patches["iou"].sum())
    states = [key for key in found.row if key.startswith("n_patches_")]
    assert sum(found.row[key] for key in states) == found.row["n_patches"] == 16
    assert list(found.patches.columns[:2]) == ["Metadata_Well", "row_px"]


def test_labels_give_contacts_too() -> None:
    masks = field()
    labels = [ndimage.label(mask)[0] for mask in (masks.mask_a, masks.mask_b)]
    row = measure_field(FieldMasks(*labels), patch_px=40, null="torus").row
    found = excess_contacts(*labels)
    assert (row["n_a"], row["pairs"]) == (found.observed.n_a, found.observed.pairs)
    assert row["contact_share_a_above_chance"] == found.share_a_above_chance


def test_debris_is_left_out() -> None:
    masks = field()
    debris = np.zeros_like(masks.mask_a)
    debris[:, :80] = True
    row = measure_field(FieldMasks(masks.mask_a, masks.mask_b, debris=debris), patch_px=40).row
    assert row["area_a"] == masks.mask_a[:, 80:].sum()
    assert row["n_patches_debris"] > 0


def test_small_fields_fall_back_to_the_torus() -> None:
    a, b = np.zeros((2, 30, 30), bool)
    a[5:15, 5:15] = b[10:28, 10:28] = True
    assert measure_field(FieldMasks(a, b), patch_px=30).row["null"] == "torus"


def test_faulty_and_empty_fields_have_reasons_and_no_warning() -> None:
    empty = FieldMasks(*np.zeros((2, 64, 64), np.int64))
    rows = [found.row for found in measure_fields([field(fault="saturated"), empty], patch_px=32)]
    assert rows[0]["reason"] == "the field is faulty: saturated"
    assert rows[1]["reason"] == "both masks are empty"
    assert all(np.isnan(row["iou"]) for row in rows)
    assert rows[0]["n_patches_faulty_field"] == rows[0]["n_patches"]
    assert np.isnan(rows[1]["contact_share_a_above_chance"])


def table() -> pd.DataFrame:
    layout = [
        ("A01", "", 0),
        ("A01", "", 1),
        ("A02", "debris", 2),
        ("A02", "", 3),
        ("A03", "empty", 4),
    ]
    fields = [
        field(seed, fault, Metadata_Plate="P", Metadata_Well=well, Metadata_Site=seed)
        for well, fault, seed in layout
    ]
    return pd.DataFrame([found.row for found in measure_fields(fields, patch_px=40)])


def test_wells_pool_areas_and_keep_every_well() -> None:
    rows = table()
    wells = overlap_by_well(rows).set_index("Metadata_Well")
    assert wells.index.tolist() == ["A01", "A02", "A03"]
    assert wells["n_fields"].tolist() == [2, 2, 1]
    assert wells["n_faulty_fields"].tolist() == [0, 1, 1]
    first = rows[rows["Metadata_Well"] == "A01"]
    union = (first["area_a"] + first["area_b"] - first["intersection"]).sum()
    assert wells.loc["A01", "iou"] == pytest.approx(first["intersection"].sum() / union)
    mean = np.average(first["iou_above_chance"], weights=first["area_a"])
    assert wells.loc["A01", "iou_above_chance"] == pytest.approx(mean)
    good = rows[(rows["Metadata_Well"] == "A02") & (rows["fault"] == "")]
    assert wells.loc["A02", "iou"] == pytest.approx(good["iou"].iloc[0])
    assert np.isnan(wells.loc["A03", "iou"])
    assert wells.loc["A03", "reason"] == "all fields are faulty"


def test_wells_need_their_columns() -> None:
    with pytest.raises(InvalidInputError, match="Metadata_Plate"):
        overlap_by_well(table().drop(columns="Metadata_Plate"))
