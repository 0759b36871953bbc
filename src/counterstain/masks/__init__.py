"""What is a cell: masks, regions around nuclei, what is measured in them, and how they overlap."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterstain.masks.agreement import dice as dice
    from counterstain.masks.agreement import iou as iou
    from counterstain.masks.agreement import mask_agreement as mask_agreement
    from counterstain.masks.agreement import mean_agreement as mean_agreement
    from counterstain.masks.cell_split import split_cells as split_cells
    from counterstain.masks.chance_shift import shift_overlaps as shift_overlaps
    from counterstain.masks.contact import Contacts as Contacts
    from counterstain.masks.contact import contacts as contacts
    from counterstain.masks.contact_excess import excess_contacts as excess_contacts
    from counterstain.masks.field_masks import FieldMasker as FieldMasker
    from counterstain.masks.foreground import Foreground as Foreground
    from counterstain.masks.foreground import fit_foreground as fit_foreground
    from counterstain.masks.instances import InstanceSettings as InstanceSettings
    from counterstain.masks.instances import instances_from_maps as instances_from_maps
    from counterstain.masks.kmeans import kmeans_mask as kmeans_mask
    from counterstain.masks.label_import import import_labels as import_labels
    from counterstain.masks.label_import import read_labels as read_labels
    from counterstain.masks.mask_overlap import Overlap as Overlap
    from counterstain.masks.mask_overlap import overlap as overlap
    from counterstain.masks.measure import measure_cells as measure_cells
    from counterstain.masks.measure import parse_feature as parse_feature
    from counterstain.masks.overlap_excess import excess_overlap as excess_overlap
    from counterstain.masks.overlap_faulty import find_debris as find_debris
    from counterstain.masks.overlap_faulty import without_debris as without_debris
    from counterstain.masks.overlap_fields import FieldMasks as FieldMasks
    from counterstain.masks.overlap_fields import measure_field as measure_field
    from counterstain.masks.overlap_fields import measure_fields as measure_fields
    from counterstain.masks.overlap_patches import patch_overlaps as patch_overlaps
    from counterstain.masks.overlap_readout import match_readout as match_readout
    from counterstain.masks.overlap_readout import read_readout as read_readout
    from counterstain.masks.overlap_wells import overlap_by_well as overlap_by_well
    from counterstain.masks.regions import CellRegions as CellRegions
    from counterstain.masks.regions import cell_regions as cell_regions
    from counterstain.masks.thresholds import image_fault as image_fault
    from counterstain.masks.thresholds import threshold_mask as threshold_mask
    from counterstain.masks.unet import UNetSegmenter as UNetSegmenter

_LAZY = {
    "CellRegions": "regions",
    "Contacts": "contact",
    "FieldMasker": "field_masks",
    "FieldMasks": "overlap_fields",
    "Foreground": "foreground",
    "InstanceSettings": "instances",
    "Overlap": "mask_overlap",
    "UNetSegmenter": "unet",
    "cell_regions": "regions",
    "contacts": "contact",
    "dice": "agreement",
    "excess_contacts": "contact_excess",
    "excess_overlap": "overlap_excess",
    "find_debris": "overlap_faulty",
    "fit_foreground": "foreground",
    "image_fault": "thresholds",
    "import_labels": "label_import",
    "instances_from_maps": "instances",
    "iou": "agreement",
    "kmeans_mask": "kmeans",
    "mask_agreement": "agreement",
    "match_readout": "overlap_readout",
    "mean_agreement": "agreement",
    "measure_cells": "measure",
    "measure_field": "overlap_fields",
    "measure_fields": "overlap_fields",
    "overlap": "mask_overlap",
    "overlap_by_well": "overlap_wells",
    "parse_feature": "measure",
    "patch_overlaps": "overlap_patches",
    "read_labels": "label_import",
    "read_readout": "overlap_readout",
    "shift_overlaps": "chance_shift",
    "split_cells": "cell_split",
    "threshold_mask": "thresholds",
    "without_debris": "overlap_faulty",
}
__all__ = [
    "CellRegions",
    "Contacts",
    "FieldMasker",
    "FieldMasks",
    "Foreground",
    "InstanceSettings",
    "Overlap",
    "UNetSegmenter",
    "cell_regions",
    "contacts",
    "dice",
    "excess_contacts",
    "excess_overlap",
    "find_debris",
    "fit_foreground",
    "image_fault",
    "import_labels",
    "instances_from_maps",
    "iou",
    "kmeans_mask",
    "mask_agreement",
    "match_readout",
    "mean_agreement",
    "measure_cells",
    "measure_field",
    "measure_fields",
    "overlap",
    "overlap_by_well",
    "parse_feature",
    "patch_overlaps",
    "read_labels",
    "read_readout",
    "shift_overlaps",
    "split_cells",
    "threshold_mask",
    "without_debris",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
