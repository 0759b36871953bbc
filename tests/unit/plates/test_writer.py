from __future__ import annotations

import errno
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.plates import writer
from counterstain.plates.screen import read_screen
from counterstain.plates.store import CropStore
from counterstain.run_folder import RunFolder

WELLS = [f"{row}{column:02d}" for row in "AB" for column in range(1, 7)]
ROLES = {1: "negcon", 2: "negcon", 5: "poscon", 6: "poscon"}


def draw(seed, edge=128, n_cells=12, gain=1.0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    nuclei = np.zeros((edge, edge))
    for gy in range(n_cells):
        cy, cx = 16 + 32 * (gy // 4) + rng.uniform(0, 8), 16 + 30 * (gy % 4) + rng.uniform(0, 8)
        nuclei[np.hypot(y - cy, x - cx) < 6] = 1
    cells = ndimage.gaussian_filter(nuclei, 4)
    light = np.stack([nuclei, cells]) * 1000 * gain + 50
    return rng.poisson(light).astype(np.uint16)


def save(folder, well, site, pixels, plate="P1"):
    for channel, image in zip(("DNA", "GFP"), pixels, strict=True):
        tifffile.imwrite(folder / "images" / f"{plate}_{well}_s{site}_{channel}.tif", image)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plate")
    (folder / "images").mkdir()
    lines = ["Metadata_Plate,Metadata_Well,Metadata_Compound,Metadata_control_type"]
    for i, well in enumerate(WELLS):
        save(folder, well, 1, draw(i, gain=1 + (i % 6) / 10))
        lines.append(f"P1,{well},c{i % 6},{ROLES.get(i % 6 + 1, '')}")
    (folder / "platemap.csv").write_text("\n".join(lines) + "\n")
    (folder / "screen.toml").write_text(
        '[images]\nroot = "images"\npattern = "{plate}_{well}_s{site}_{channel}.tif"\n'
        'channels = ["DNA", "GFP"]\npixel_size_um = 0.5\n[layout]\ntable = "platemap.csv"\n'
        '[classes]\nill = { Metadata_control_type = "negcon" }\n'
        'well = { Metadata_control_type = "poscon" }\n[crops]\nsize = 24\n'
    )
    return folder


@pytest.fixture
def own_plate(plate, tmp_path):
    return shutil.copytree(plate, tmp_path / "plate")


def write(folder, out, change=None, **kwargs):
    screen = read_screen(folder / "screen.toml")
    if change:
        config = screen.config
        parts = {
            name: getattr(config, name).model_copy(update=update) for name, update in change.items()
        }
        object.__setattr__(screen, "config", config.model_copy(update=parts))
    writer.write_crops(screen, RunFolder(out), **kwargs)
    run = RunFolder(out)
    return pd.read_parquet(run.table("fields")), pd.read_parquet(run.table("crops"))


def test_tables_and_store_agree(plate, tmp_path):
    seen = []
    fields, crops = write(plate, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 12) for i in range(1, 13)]
    assert fields["Metadata_Well"].tolist() == WELLS
    assert not fields["faulty"].any()
    assert fields["n_crops"].sum() == len(crops) > 100
    assert (fields["n_cells"] == fields[["n_crops", "n_border", "n_odd_size"]].sum(axis=1)).all()
    for column in ("Metadata_Compound", "class_name", "focus_DNA", "saturated_GFP", "reason"):
        assert column in fields
    assert crops["crop"].tolist() == list(range(len(crops)))
    assert list(crops.columns[:2]) == ["crop", "field"]
    assert list(crops.columns[-5:]) == ["y", "x", "usable", "mislabelled", "fold"]
    assert crops["usable"].all()
    assert not crops["mislabelled"].any()
    assert (crops.groupby("Metadata_Well")["fold"].nunique() == 1).all()
    assert ((crops["fold"] == -1) == (crops["class_name"] == "")).all()
    with CropStore.open(tmp_path / "crops.zarr") as store:
        assert len(store) == len(crops)
        assert store.attrs["folds"] == 4
        assert store.attrs["kind"] == "cells"
        assert store.attrs["pixel_size_um"] == 0.5
        row = crops.iloc[-1]
        image = tifffile.imread(plate / f"images/P1_{row['Metadata_Well']}_s1_GFP.tif")
        top, left = round(row["y"] - 11.5), round(row["x"] - 11.5)
        np.testing.assert_array_equal(
            store.pixels([len(crops) - 1])[0, 1], image[top : top + 24, left : left + 24]
        )
        assert store.nuclei([0])[0, 12, 12] == 1


def test_scale_comes_from_the_negative_controls(plate, tmp_path):
    write(plate, tmp_path)
    pixels = np.stack(
        [
            [tifffile.imread(plate / f"images/P1_{well}_s1_{c}.tif") for c in ("DNA", "GFP")]
            for well in ("A01", "A02", "B01", "B02")
        ]
    )
    expected = np.percentile(pixels, [0.1, 99.9], axis=(0, 2, 3))
    with CropStore.open(tmp_path / "crops.zarr") as store:
        np.testing.assert_allclose(store.scaling.low[0], expected[0])
        np.testing.assert_allclose(store.scaling.high[0], expected[1])


def test_plate_without_negative_controls_is_scaled_by_all_and_noted(own_plate, tmp_path):
    table = own_plate / "platemap.csv"
    text = table.read_text()
    for i, well in enumerate(WELLS[2:6]):
        save(own_plate, well, 1, draw(100 + i, gain=2), plate="P2")
        text += f"P2,{well},x,{'poscon' if i > 1 else ''}\n"
    table.write_text(text)
    write(own_plate, tmp_path / "run")
    with CropStore.open(tmp_path / "run" / "crops.zarr") as store:
        assert store.plates == ("P1", "P2")
        assert store.scaling.high[1, 0] > 1.5 * store.scaling.high[0, 0]
        assert [note for note in store.attrs["notes"] if note.startswith("Plate P2: no usable")]
        assert store.plate_index.max() == 1


def test_the_same_input_gives_the_same_tables(plate, tmp_path):
    for first, second in zip(
        write(plate, tmp_path / "a"), write(plate, tmp_path / "b"), strict=True
    ):
        pd.testing.assert_frame_equal(first, second)


def test_faulty_fields_stay_in_the_tables_but_are_not_usable(own_plate, tmp_path):
    save(own_plate, "B02", 1, draw(3, n_cells=3))
    save(own_plate, "A01", 2, draw(4, gain=60))
    fields, crops = write(own_plate, tmp_path / "run")
    reasons = dict(
        zip(
            fields["Metadata_Well"] + fields["Metadata_Site"].astype(str),
            fields["reason"],
            strict=True,
        )
    )
    assert reasons["B021"] == "empty"
    assert "intensity outlier" in reasons["A012"] or "debris" in reasons["A012"]
    faulty = crops["field"].isin(fields.loc[fields["faulty"], "field"])
    assert faulty.any()
    assert (crops["usable"] == ~faulty).all()
    with CropStore.open(tmp_path / "run" / "crops.zarr") as store:
        # The glaring field is a negative control: its pixels must not set the scale.
        assert store.scaling.high[0, 0] < 2000
        assert len(store) == len(crops)


def test_a_field_that_breaks_between_check_and_run_is_marked(own_plate, tmp_path):
    screen = read_screen(own_plate / "screen.toml")
    path = own_plate / "images" / "P1_A03_s1_GFP.tif"
    path.write_bytes(path.read_bytes()[:3000])
    writer.write_crops(screen, RunFolder(tmp_path / "run"))
    fields = pd.read_parquet(tmp_path / "run/tables/fields.parquet")
    crops = pd.read_parquet(tmp_path / "run/tables/crops.parquet")
    bad = fields[fields["faulty"]]
    assert bad["Metadata_Well"].tolist() == ["A03"]
    assert bad["reason"].iloc[0].startswith("unreadable: ")
    assert "P1_A03_s1_GFP.tif" in bad["reason"].iloc[0]
    assert bad["n_crops"].iloc[0] == 0
    assert np.isnan(bad["focus_DNA"].iloc[0])
    assert set(crops["Metadata_Well"]) == set(WELLS) - {"A03"}


@pytest.mark.parametrize(("kind", "per_field", "shape"), [("tiles", 25, 24), ("fields", 1, 128)])
def test_other_kinds(plate, tmp_path, kind, per_field, shape):
    fields, crops = write(plate, tmp_path, {"crops": {"kind": kind}})
    assert (fields["n_crops"] == per_field).all()
    with CropStore.open(tmp_path / "crops.zarr") as store:
        assert store.shape == (len(crops), 2, shape, shape)


def test_whole_fields_of_two_sizes_are_refused(plate, tmp_path):
    screen = read_screen(plate / "screen.toml")
    crops = screen.config.crops.model_copy(update={"kind": "fields"})
    object.__setattr__(screen, "config", screen.config.model_copy(update={"crops": crops}))
    screen.fields.loc[3, ["height", "width"]] = 256
    with pytest.raises(InvalidInputError, match=r"11 of 128 x 128, 1 of 256 x 256"):
        writer.write_crops(screen, RunFolder(tmp_path))


def test_fewer_groups_than_folds_are_noted(plate, tmp_path):
    write(plate, tmp_path, {"split": {"folds": 9}})
    with CropStore.open(tmp_path / "crops.zarr") as store:
        assert store.attrs["folds"] == 4
        assert "only 4 groups" in store.attrs["notes"][0]


def test_a_size_that_8_does_not_divide_is_noted(plate, tmp_path):
    write(plate, tmp_path, {"crops": {"size": 20}})
    with CropStore.open(tmp_path / "crops.zarr") as store:
        assert "20 x 20 px" in store.attrs["notes"][0]


def test_a_class_without_usable_crops_is_named_and_nothing_is_left(own_plate, tmp_path):
    for row in "AB":
        for column in (5, 6):
            save(own_plate, f"{row}{column:02d}", 1, draw(0, n_cells=2))
    with pytest.raises(InvalidInputError, match=r"'well' must have crops.*empty \(4\)"):
        write(own_plate, tmp_path / "run")
    assert [p for p in (tmp_path / "run").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("where", ["zarr.storage._local._put", "pandas.DataFrame.to_parquet"])
def test_full_disk_leaves_nothing(plate, tmp_path, monkeypatch, where):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(where, full)
    with pytest.raises(InvalidInputError, match=r"is full.*free some space"):
        write(plate, tmp_path / "run")
    assert [p for p in (tmp_path / "run").rglob("*") if p.is_file()] == []


def test_interruption_leaves_nothing_and_the_old_run_whole(plate, tmp_path):
    fields, _ = write(plate, tmp_path)

    def stop(done, _total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(plate, tmp_path, progress=stop)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["crops.zarr", "tables"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "tables/fields.parquet"), fields)
