from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from counterstain.cli.app import call
from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.export import read_pictured, well_layers, write_csv_tables
from counterstain.plates.scaling import PixelScaling
from counterstain.plates.store import CropWriter
from counterstain.run_folder import RunFolder

CHANNELS = ["DNA", "µ <b>tubulin & α"]
PIXELS = np.random.default_rng(0).integers(0, 4000, (3, 2, 6, 6), dtype=np.uint16)
LOW, HIGH = np.array([[100.0, 200.0]]), np.array([[1100.0, 4200.0]])
SCALING = PixelScaling(("P/1",), LOW, HIGH)
NUCLEI = np.repeat(np.arange(3, dtype=np.uint8)[:, None, None], 6, axis=1).repeat(6, axis=2)
OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def make(root: Path, *, size: float | None = 0.325, store: bool = True) -> RunFolder:
    """Crops 1 and 2 of three have a counterfactual: twice as far from black."""
    folder = RunFolder(root / "RUN")
    folder.table("wells").parent.mkdir(parents=True)
    folder.run_json.write_text('{"config": {"images": {"channels": ["DNA", "GFP"]}}}')
    folder.metrics.write_text('{"classes": ["diseased", "healthy"]}')
    pd.DataFrame({"Metadata_Well": ["B03", "B04"], "logit": [1.5, np.nan]}).to_parquet(
        folder.table("wells")
    )
    scaled = SCALING.apply(PIXELS[1:], np.array([0, 0]))
    np.savez(
        folder.counterfactuals, original=scaled, boundary=1.5 * scaled, counterfactual=2 * scaled,
        crop=[1, 2], source=[0, 1], target=[1, 0], well=["B03", "B04"], plate=["P/1", "P/1"],
    )  # fmt: skip
    if store:
        writer = CropWriter(folder.crops, (2, 6, 6), np.uint16)
        writer.append(PIXELS, NUCLEI, plate=0)
        attributes = {"channels": CHANNELS, "plates": ["P/1"], "pixel_size_um": size}
        writer.close(attributes, SCALING)
    return folder


def test_counterfactuals_come_back_from_ome_tiff(tmp_path: Path) -> None:
    folder, to = make(tmp_path), tmp_path / "to"
    arguments = ["export", str(folder.root), "--counterfactuals", "--well", "b03", "--to", str(to)]
    assert call(arguments) == 0
    (path,) = to.iterdir()
    assert path.name == "P-1_B03_crop1_diseased_to_healthy.ome.tif"
    with tifffile.TiffFile(path) as file:
        series = {one.name: (one.axes, one.asarray()) for one in file.series}
        root = ElementTree.fromstring(file.ome_metadata or "")
    assert [(name, axes) for name, (axes, _) in series.items()] == [
        ("as imaged", "CYX"), ("on the boundary", "CYX"), ("counterfactual", "CYX"),
        ("nuclei", "YX"),
    ]  # fmt: skip
    original = series["as imaged"][1]
    assert original.dtype == np.uint16
    np.testing.assert_array_equal(original, PIXELS[1])
    low = LOW[0][:, None, None]
    expected = low + 2 * (PIXELS[1].astype(float) - low)
    np.testing.assert_allclose(series["counterfactual"][1], expected, rtol=1e-4, atol=1e-2)
    np.testing.assert_array_equal(series["nuclei"][1], NUCLEI[1])
    pixels = root.findall(f"{OME}Image/{OME}Pixels")
    assert {found.get("PhysicalSizeX") for found in pixels} == {"0.325"}
    assert {found.get("PhysicalSizeYUnit") for found in pixels} == {"µm"}
    names = [one.get("Name") for one in pixels[2].findall(f"{OME}Channel")]
    assert names == CHANNELS


def test_an_unknown_pixel_size_is_not_made_up(tmp_path: Path) -> None:
    folder, to = make(tmp_path, size=None), tmp_path / "to"
    assert call(["export", str(folder.root), "--counterfactuals", "--to", str(to)]) == 0
    for path in to.iterdir():
        with tifffile.TiffFile(path) as file:
            assert "PhysicalSize" not in (file.ome_metadata or "")
    assert all(crop.pixel_size_um is None for crop in read_pictured(folder))
    assert well_layers(read_pictured(folder))[0].options["scale"] == (1.0, 1.0, 1.0)


def test_without_pixels_the_unit_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, to = make(tmp_path, store=False), tmp_path / "to"
    assert call(["export", str(folder.root), "--counterfactuals", "--to", str(to)]) == 0
    assert "not in grey values" in capsys.readouterr().out
    crop = read_pictured(folder)[0]
    assert (crop.unit, crop.channels, crop.nuclei) == ("control range", ("DNA", "GFP"), None)
    assert "nuclei" not in [layer.name for layer in well_layers([crop])]


def test_tables_as_csv(tmp_path: Path) -> None:
    folder, to = make(tmp_path), tmp_path / "to"
    assert call(["export", str(folder.root), "--tables", "csv", "--to", str(to)]) == 0
    assert (to / "wells.csv").read_text() == "Metadata_Well,logit\nB03,1.5\nB04,\n"


def test_layers_of_a_well(tmp_path: Path) -> None:
    crops = read_pictured(make(tmp_path))
    layers = {layer.name: layer for layer in well_layers(crops)}
    assert len(layers) == 7
    image, after = layers["DNA: as imaged"], layers["DNA: counterfactual"]
    assert image.options["scale"] == (1.0, 0.325, 0.325)
    assert image.options["contrast_limits"] == after.options["contrast_limits"]
    np.testing.assert_allclose(layers["DNA: difference"].data, after.data - image.data, rtol=1e-6)
    low, high = layers["DNA: difference"].options["contrast_limits"]
    assert low == -high
    assert high > 0
    np.testing.assert_array_equal(layers["nuclei"].data, NUCLEI[1:])
    assert layers["nuclei"].kind == "labels"
    with pytest.raises(InvalidInputError, match="must hold a crop"):
        well_layers([])


def test_napari_opens_the_layers_or_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys
    from types import ModuleType, SimpleNamespace

    folder = make(tmp_path)
    monkeypatch.setitem(sys.modules, "napari", None)
    assert call(["napari", str(folder.root), "--well", "B03"]) == 2
    assert "pip install 'counterstain[napari]'" in capsys.readouterr().err
    added: list[str] = []

    def add(data: np.ndarray, *, name: str, **_: object) -> None:
        assert data.shape == (1, 6, 6)
        added.append(name)

    bar = SimpleNamespace()
    fake = ModuleType("napari")
    fake.Viewer = lambda title: SimpleNamespace(add_image=add, add_labels=add, scale_bar=bar)  # type: ignore[attr-defined]
    fake.run = lambda: added.append("shown")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "napari", fake)
    assert call(["napari", str(folder.root), "--well", "B03"]) == 0
    assert added[-2:] == ["nuclei", "shown"]
    assert bar.visible


def test_napari_takes_the_layers_as_they_are(tmp_path: Path) -> None:
    components = pytest.importorskip("napari.components")
    viewer = components.ViewerModel()
    for layer in well_layers(read_pictured(make(tmp_path), "B03")):
        add = viewer.add_image if layer.kind == "image" else viewer.add_labels
        add(layer.data, name=layer.name, **layer.options)
    assert viewer.layers[-1].name == "nuclei"
    assert [str(unit) for unit in viewer.layers[0].units] == ["pixel", "micrometer", "micrometer"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--counterfactuals", "--well", "A01"], "got A01, there are B03, B04: choose one"),
        ([], "must be told what to write"),
    ],
)
def test_bad_wishes_write_nothing(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, to = make(tmp_path, store=False), tmp_path / "to"
    assert call(["export", str(folder.root), "--to", str(to), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not to.exists()


def test_what_is_missing_or_damaged_is_said(tmp_path: Path) -> None:
    folder = make(tmp_path, store=False)
    folder.table("wells").write_bytes(b"PAR1")
    with pytest.raises(InvalidInputError, match="must be a table as counterstain wrote it"):
        write_csv_tables(folder, tmp_path / "to")
    folder.counterfactuals.write_bytes(folder.counterfactuals.read_bytes()[:50])
    with pytest.raises(InvalidInputError, match=r"must hold arrays as counterstain wrote.*explain"):
        read_pictured(folder)
    folder.counterfactuals.unlink()
    folder.metrics.write_text('{"no_counterfactuals": "The classes are at chance."}')
    with pytest.raises(MissingFileError, match="it is not there: The classes are at chance"):
        read_pictured(folder)
    with pytest.raises(MissingFileError, match="must be a run folder"):
        read_pictured(RunFolder(tmp_path / "none"))
    with pytest.raises(MissingFileError, match="must be a run folder with tables"):
        write_csv_tables(RunFolder(tmp_path / "none"), tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_profiles_open_in_anndata(finished_run: Path) -> None:
    import anndata

    profiles = anndata.read_h5ad(finished_run / "profiles.h5ad")
    assert "Metadata_Well" in profiles.obs
    assert profiles.n_obs > 0
    assert np.isfinite(profiles.X).all()
