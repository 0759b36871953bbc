"""Each phenotype changes what it says, and leaves alone what it does not name."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from counterstain.errors import InvalidInputError
from counterstain.plates.simulate import PHENOTYPES, Phenotype, draw_field
from counterstain.plates.simulate.cells import draw_population
from counterstain.plates.simulate.design import Compound, draw_compounds, lay_out
from counterstain.plates.simulate.field import DrawnField
from counterstain.plates.simulate.illumination import Illumination, expose
from counterstain.plates.simulate.phenotypes import CHANNELS, HEALTHY, TOXIC


def _draw(phenotype: Phenotype, *, size: int = 256, seed: int = 4) -> DrawnField:
    return draw_field(np.random.default_rng(seed), phenotype, size=size)


def _light(drawn: DrawnField, channel: str) -> float:
    """Return the stain of a channel: what is left above the same field without that stain."""
    unstained = _draw(Phenotype(**{f"{channel.lower()}_intensity": 1e-9}))
    i = CHANNELS.index(channel)
    return float(drawn.pixels[i].astype(float).sum() - unstained.pixels[i].astype(float).sum())


@pytest.fixture(scope="module")
def healthy() -> DrawnField:
    return _draw(HEALTHY)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(("way", "factor"), [("up", 2.0), ("down", 0.5)])
def test_intensity_changes_in_one_channel_only(
    healthy: DrawnField, channel: str, way: str, factor: float
) -> None:
    ill = _draw(PHENOTYPES[f"{channel.lower()}_{way}"].phenotype)
    assert _light(ill, channel) / _light(healthy, channel) == pytest.approx(factor, rel=0.03)
    for i, other in enumerate(CHANNELS):
        # A trace of the cytoplasm's stain is seen in the DNA channel, as in real filters.
        if other != channel and (channel, other) != ("cytoplasm", "DNA"):
            assert (ill.pixels[i] == healthy.pixels[i]).all()


def test_fragmented_and_perinuclear_mitochondria_keep_their_total(healthy: DrawnField) -> None:
    for name in ("mitochondria_fragmented", "mitochondria_perinuclear"):
        ill = _draw(PHENOTYPES[name].phenotype)
        assert (ill.pixels[:2] == healthy.pixels[:2]).all()
        assert _light(ill, "mitochondria") == pytest.approx(
            _light(healthy, "mitochondria"), rel=0.15
        )


def test_fragmented_mitochondria_are_many_small_pieces(healthy: DrawnField) -> None:
    def pieces(drawn: DrawnField) -> tuple[int, float]:
        image = drawn.pixels[2].astype(float)
        fine = ndimage.gaussian_filter(image, 0.7) - ndimage.gaussian_filter(image, 3)
        labels, count = ndimage.label(fine > np.percentile(fine, 94))
        return count, float(np.mean(np.bincount(labels.ravel())[1:]))

    many, small = pieces(_draw(PHENOTYPES["mitochondria_fragmented"].phenotype))
    few, large = pieces(healthy)
    assert many > 1.15 * few
    assert small < 0.87 * large


def test_perinuclear_mitochondria_lie_close_to_nuclei(healthy: DrawnField) -> None:
    def near(drawn: DrawnField) -> float:
        rows, columns = np.mgrid[:256, :256]
        distance = np.full((256, 256), np.inf)
        for y, x in zip(drawn.cells.y, drawn.cells.x, strict=True):
            distance = np.minimum(distance, np.hypot(rows - y, columns - x))
        image = drawn.pixels[2].astype(float) - np.percentile(drawn.pixels[2], 5)
        return float(image[distance < 13].sum() / image.sum())

    assert near(_draw(PHENOTYPES["mitochondria_perinuclear"].phenotype)) > 1.3 * near(healthy)


def test_larger_nuclei_are_larger_by_area(healthy: DrawnField) -> None:
    ill = _draw(PHENOTYPES["nuclei_larger"].phenotype)
    ratio = ill.cells.nucleus_outline.mean() / healthy.cells.nucleus_outline.mean()
    assert ratio == pytest.approx(1.25, rel=0.01)
    assert _light(ill, "DNA") / _light(healthy, "DNA") == pytest.approx(1.25**2, rel=0.1)


def test_shift_moves_cytoplasmic_stain_into_nuclei_and_keeps_the_total(healthy: DrawnField) -> None:
    ill = _draw(PHENOTYPES["cytoplasm_to_nucleus"].phenotype)
    y, x = healthy.cells.y.astype(int), healthy.cells.x.astype(int)
    inside = healthy.cells.inside(256)
    before, after = (drawn.pixels[1][y[inside], x[inside]].mean() for drawn in (healthy, ill))
    assert after > 1.4 * before
    assert _light(ill, "cytoplasm") == pytest.approx(_light(healthy, "cytoplasm"), rel=0.05)


def test_coarser_texture_has_less_fine_detail(healthy: DrawnField) -> None:
    def fine_share(drawn: DrawnField) -> float:
        image = drawn.pixels[1].astype(float)
        cell = ndimage.gaussian_filter(image, 2) > 300
        fine = image - ndimage.gaussian_filter(image, 2)
        coarse = ndimage.gaussian_filter(image, 2) - ndimage.gaussian_filter(image, 5)
        return float(fine[cell].std() / coarse[cell].std())

    coarser = _draw(PHENOTYPES["cytoplasm_coarser"].phenotype)
    assert fine_share(coarser) < 0.9 * fine_share(healthy)


def test_fewer_cells_are_some_of_the_same_cells(healthy: DrawnField) -> None:
    ill = _draw(PHENOTYPES["fewer_cells"].phenotype)
    assert len(ill.cells) == pytest.approx(len(healthy.cells) / 2, abs=1)
    assert (ill.cells.y == healthy.cells.y[: len(ill.cells)]).all()
    assert (ill.cells.nucleus_outline == healthy.cells.nucleus_outline[: len(ill.cells)]).all()


def test_toxic_cells_are_few_round_and_have_small_bright_nuclei(healthy: DrawnField) -> None:
    ill = _draw(TOXIC)
    assert len(ill.cells) < 0.6 * len(healthy.cells)
    assert ill.cells.nucleus_outline.mean() < 0.85 * healthy.cells.nucleus_outline.mean()
    assert ill.cells.dna.mean() > 1.3 * healthy.cells.dna.mean()

    def irregularity(drawn: DrawnField) -> float:
        outline = drawn.cells.cell_outline
        return float((outline.std(axis=1) / outline.mean(axis=1)).mean())

    assert irregularity(ill) < 0.5 * irregularity(healthy)


def test_cells_have_the_size_of_a_crop_and_vary() -> None:
    cells = draw_population(np.random.default_rng(0), HEALTHY, size=800)
    nucleus = 2 * cells.nucleus_outline.mean(axis=1)
    cell = 2 * cells.cell_outline.mean(axis=1)
    assert 14 < np.median(nucleus) < 18
    assert 36 < np.median(cell) < 44
    assert cell.std() / cell.mean() > 0.08
    assert 0 < cells.mitotic.mean() < 0.1


def test_field_without_cells_has_no_cells() -> None:
    drawn = draw_field(np.random.default_rng(0), HEALTHY, size=64, density=0)
    assert len(drawn.cells) == 0
    assert drawn.pixels.shape == (3, 64, 64)


def test_background_tilt_and_vignette_are_seen() -> None:
    dark = np.zeros((3, 96, 96), np.float32)
    lit = Illumination(background=(500.0, 500.0, 500.0), tilt_x=0.5, vignette=0.0)
    image = expose(dark, lit, np.random.default_rng(0)).astype(float)
    left, right = image[:, :, :24].mean() - 100, image[:, :, -24:].mean() - 100
    assert right / left == pytest.approx(1.1875 / 0.8125, rel=0.05)
    shaded = expose(dark, Illumination(vignette=0.3), np.random.default_rng(0)).astype(float)
    assert shaded[:, :8, :8].mean() < shaded[:, 44:52, 44:52].mean()


def test_shot_noise_grows_with_the_square_root_of_light() -> None:
    lit = Illumination(background=(100.0, 400.0, 1600.0), vignette=0.0)
    image = expose(np.zeros((3, 128, 128), np.float32), lit, np.random.default_rng(0))
    expected = np.sqrt(0.36 * np.array([100, 400, 1600]) + 16)
    np.testing.assert_allclose(image.std(axis=(1, 2)), expected, rtol=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"size": 40}, "at least 48"), ({"density": -1.0}, "`density`"), ({"fault": "x"}, "`fault`")],
)
def test_bad_field_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        draw_field(np.random.default_rng(0), HEALTHY, **arguments)  # type: ignore[arg-type]


def test_phenotype_out_of_range_is_named() -> None:
    with pytest.raises(InvalidInputError, match="`dna_intensity` is a factor"):
        Phenotype(dna_intensity=0)
    with pytest.raises(InvalidInputError, match="`roundness` must lie in"):
        Phenotype(roundness=1.5)


def test_phenotypes_scale_and_combine() -> None:
    both = Phenotype(dna_intensity=0.25, roundness=0.4).scaled(0.5).combined(Phenotype(roundness=1))
    assert both == Phenotype(dna_intensity=0.5, roundness=1.0)
    assert TOXIC.scaled(0) == HEALTHY


def test_controls_are_balanced_over_the_plate() -> None:
    rng = np.random.default_rng(0)
    wells = lay_out(draw_compounds(12, rng), rng)
    place = {
        name: np.array([(w.row, w.column) for w in wells if w.class_name == name])
        for name in ("diseased", "healthy")
    }
    np.testing.assert_allclose(place["diseased"].mean(axis=0), place["healthy"].mean(axis=0))
    edge = {name: (at[:, 0] % 7 == 0).sum() for name, at in place.items()}
    assert edge["diseased"] == edge["healthy"]


def test_doses_do_not_follow_the_plate() -> None:
    rng = np.random.default_rng(0)
    treated = [w for w in lay_out(draw_compounds(12, rng), rng) if w.compound]
    doses = np.log([w.concentration_uM for w in treated])
    for place in ([w.row for w in treated], [w.column for w in treated]):
        assert abs(np.corrcoef(doses, place)[0, 1]) < 0.3


def test_compounds_rescue_at_different_potencies() -> None:
    compounds = draw_compounds(12, np.random.default_rng(3))
    kinds = [compound.kind for compound in compounds]
    assert [kinds.count(kind) for kind in ("full", "partial", "none", "toxic")] == [4, 2, 4, 2]
    potencies = sorted(compound.ec50_uM for compound in compounds if compound.kind == "full")
    assert potencies[-1] / potencies[0] > 5
    assert Compound("C", "full", 1.0, 0.5, 1.3).response(0.5) == pytest.approx(0.5)
