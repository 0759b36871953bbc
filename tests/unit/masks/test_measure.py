from __future__ import annotations

import numpy as np
import pytest

from counterstain.errors import InvalidInputError
from counterstain.masks import cell_regions, measure_cells, parse_feature


def crops(n=5, edge=32, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    nuclei = np.zeros((n, edge, edge), np.uint8)
    nuclei[:, 12:20, 13:21] = 1
    nuclei[:, 2:6, 2:6] = 2
    return rng.gamma(2, 0.2, (n, channels, edge, edge)), nuclei


def test_means_and_deviations_are_those_of_the_masked_pixels():
    pixels, nuclei = crops()
    table = measure_cells(pixels, nuclei, ["DNA", "GFP"], ring_width=4)
    regions = cell_regions(nuclei, 4)
    assert len(table) == 5
    for c, channel in enumerate(["DNA", "GFP"]):
        for name in ("nucleus", "ring", "cell", "background"):
            for k in range(5):
                inside = pixels[k, c][getattr(regions, name)[k]]
                mean = table.loc[k, f"mean_intensity:{name}:{channel}"]
                assert mean == pytest.approx(inside.mean(), rel=1e-5)
                if name != "background":
                    sd = table.loc[k, f"sd:{name}:{channel}"]
                    assert sd == pytest.approx(inside.std(), rel=1e-4)


def test_small_contrast_on_a_bright_ground_is_kept():
    pixels, nuclei = crops(channels=1)
    table = measure_cells(30000 + 10 * pixels, nuclei, ["DNA"])
    expected = 10 * pixels[0, 0][nuclei[0] == 1].std()
    assert table.loc[0, "sd:nucleus:DNA"] == pytest.approx(expected, rel=0.01)


def test_integers_and_blocks_give_the_same():
    pixels, nuclei = crops(n=700)
    grey = (pixels * 50).astype(np.uint8)
    whole = measure_cells(grey, nuclei, ["DNA", "GFP"], floor=1.0)
    last = measure_cells(grey[690:], nuclei[690:], ["DNA", "GFP"], floor=1.0)
    np.testing.assert_allclose(whole.to_numpy()[690:], last.to_numpy(), rtol=1e-6)


def test_ratio_counts_doublings_above_the_background():
    _, nuclei = crops(n=1)
    pixels = np.where(nuclei == 1, 0.9, 0.3)[:, None]
    table = measure_cells(pixels, nuclei, ["GFP"], background=np.array([0.1]), floor=1e-9)
    assert table.loc[0, "log2_ratio:nucleus/ring:GFP"] == pytest.approx(2.0, abs=1e-5)


def test_a_cell_without_signal_has_a_ratio_near_zero():
    _, nuclei = crops(n=200)
    noise = np.random.default_rng(0).normal(0, 0.005, (200, 1, 32, 32))
    ratio = measure_cells(noise, nuclei, ["GFP"])["log2_ratio:nucleus/ring:GFP"]
    assert ratio.abs().max() < 0.5


def test_an_empty_region_is_nan_and_nothing_else():
    pixels, nuclei = crops(n=2)
    nuclei[0] = 0
    nuclei[1] = 1
    table = measure_cells(pixels, nuclei, ["DNA", "GFP"])
    for column in ("mean_intensity:nucleus:DNA", "sd:cell:DNA", "log2_ratio:nucleus/ring:GFP"):
        assert np.isnan(table.loc[0, column])
    assert np.isfinite(table.loc[0, "mean_intensity:background:DNA"])
    assert np.isfinite(table.loc[1, "mean_intensity:cell:GFP"])
    assert np.isnan(table.loc[1, "mean_intensity:ring:GFP"])


def test_no_crops_give_an_empty_table_with_all_columns():
    pixels, nuclei = crops()
    table = measure_cells(pixels[:0], nuclei[:0], ["DNA", "GFP"])
    assert table.shape == (0, 26)


def test_columns_can_be_read_back():
    pixels, nuclei = crops(n=1)
    parsed = [parse_feature(c) for c in measure_cells(pixels, nuclei, ["A:b", "GFP"])]
    assert parsed[0] == ("mean intensity", "nucleus", "A:b")
    with pytest.raises(InvalidInputError, match="column of measure_cells"):
        parse_feature("Metadata_Well")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nuclei": np.zeros((5, 9, 9), np.uint8)}, "same crops"),
        ({"channels": ["DNA"]}, "name 2 channels"),
        ({"background": np.zeros(3)}, "one value a channel"),
        ({"floor": 0.0}, "above 0"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    pixels, nuclei = crops()
    given = {"pixels": pixels, "nuclei": nuclei, "channels": ["DNA", "GFP"], **arguments}
    with pytest.raises(InvalidInputError, match=message):
        measure_cells(**given)
