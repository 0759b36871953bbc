from __future__ import annotations

import pytest

from counterstain.errors import InvalidInputError
from counterstain.plates.conventions import compile_pattern, guess_ready_made

GUID = "92A46E20-C4C2-4748-B19D-541F77829FFA"


@pytest.mark.parametrize(
    ("pattern", "path", "plate", "well", "site", "channel"),
    [
        ("incell", "A - 01(fld 1 wv FITC - FITC).tif", None, "A01", 1, "FITC - FITC"),
        ("incell", "CK01 - B - 02(fld 3 wv Blue - DAPI).tif", "CK01", "B02", 3, "Blue - DAPI"),
        ("incell", "x/P1_HA_B - 11(fld 01 wv 390 - Blue).tif", "P1_HA", "B11", 1, "390 - Blue"),
        ("incell", "B - 3(fld 2 wv TL-Phase - Cy3 wix 2).tif", None, "B03", 2, "TL-Phase - Cy3"),
        ("incell", "F - 001(fld 1 wv Green - dsRed z 3).tif", None, "F01", 1, "Green - dsRed"),
        ("incell", "C - 4(fld 1 wv Cy5 - Cy5 - time 01 - 0 ms).tif", None, "C04", 1, "Cy5 - Cy5"),
        ("incell", "C - 4(wv Cy5 - Cy5).tif", None, "C04", 1, "Cy5 - Cy5"),
        ("incell", "C - 4(fld 2).tif", None, "C04", 2, None),
        ("phenix", "r01c01f04p01-ch1sk1fk1fl1.tiff", None, "A01", 4, "1"),
        ("phenix", "P__1/Images/r16c24f144p01-ch11sk1fk1fl1.tiff", None, "P24", 144, "11"),
        ("phenix", "r32c48f01p01rc1-ch2sk1fk1fl1.tiff", None, "AF48", 1, "2"),
        ("phenix", "r02c03f01p01-ch2t01.tiff", None, "B03", 1, "2"),
        ("imagexpress", f"Week1_150607_B02_s4_w2{GUID}.tif", "Week1_150607", "B02", 4, "2"),
        ("imagexpress", f"D07_s1_w1{GUID}.tif", None, "D07", 1, "1"),
        ("imagexpress", f"P_C05_w1{GUID}.TIF", "P", "C05", 1, "1"),
        ("imagexpress", "TimePoint_1/plate 11_A01_s1_w2.TIF", "plate 11", "A01", 1, "2"),
        ("imagexpress", "P_C05_s1_w1GUID.tif", "P", "C05", 1, "1"),
        ("imagexpress", f"P_C05_s12{GUID}.tif", "P", "C05", 12, None),
        ("imagexpress", "P_C05.tif", "P", "C05", 1, None),
        ("imagexpress", "A01_B02_s1_w1.tif", "A01", "B02", 1, "1"),
        ("cellvoyager", "As_Gr_#65_C02_T0001F003L01A01Z01C04.tif", "As_Gr_#65", "C02", 3, "04"),
        ("cellvoyager", "K06_T0001F001L01A02Z01C02.tif", None, "K06", 1, "02"),
    ],
)
def test_ready_made(
    pattern: str, path: str, plate: str | None, well: str, site: int, channel: str | None
) -> None:
    name = compile_pattern(pattern).match(path)
    assert name is not None
    assert (name.plate, name.well, name.site, name.channel) == (plate, well, site, channel)


@pytest.mark.parametrize(
    ("pattern", "path", "extra"),
    [
        ("phenix", "r01c01f04p03-ch1sk2fk1fl1.tiff", "plane 03, time 2"),
        ("cellvoyager", "P_C02_T0002F003L01A01Z07C04.tif", "plane 07, time 0002, line 01"),
        ("imagexpress", "TimePoint_2/ZStep_3/P_C05_s1_w1.tif", "TimePoint 2, ZStep 3"),
        ("imagexpress", "P_C05_s1_w1_z4.tif", "plane 4"),
        ("incell", "A - 1(fld 1 wv FITC - FITC z 5).tif", "plane 5"),
    ],
)
def test_planes_and_times_are_kept_apart(pattern: str, path: str, extra: str) -> None:
    name = compile_pattern(pattern).match(path)
    assert name is not None
    assert name.extra == extra


def test_ready_made_below_folders() -> None:
    names = compile_pattern("{plate}/Images/phenix")
    name = names.match("screen/BR7/Images/r01c02f01p01-ch1sk1fk1fl1.tiff")
    assert name is not None
    assert (name.plate, name.well) == ("BR7", "A02")
    name = compile_pattern("{plate}/*/imagexpress").match("W4/TimePoint_1/W4x_B02_s1_w1.tif")
    assert name is not None
    assert (name.plate, name.well) == ("W4", "B02")


def test_own_pattern_with_folders_wildcards_and_repeats() -> None:
    names = compile_pattern("{plate}/{row}/{column}/{plate}_f{site}_{channel}_?*.tif", ["c", "cc"])
    name = names.match("deep/P1/b/7/P1_f03_cc_x9.TIF")
    assert name is not None
    assert (name.plate, name.well, name.site, name.channel) == ("P1", "B07", 3, "cc")
    assert names.match("P1/b/7/P2_f03_cc_x9.tif") is None
    assert names.match("P1/b/99/P1_f03_cc_x9.tif") is None


def test_unknown_channels_are_still_read() -> None:
    name = compile_pattern("{well}_{channel}.tif", ["DNA"]).match("A1_BF.tif")
    assert name is not None
    assert (name.channel, name.site) == ("BF", 1)


def test_special_characters_are_literal() -> None:
    assert compile_pattern("{well}(+).tif").match("A1(+).tif") is not None
    assert compile_pattern("{well}.tif").match("A1xtif") is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{wel}_{channel}.tif", r"did you mean \{well\}\?"),
        ("{plate}_{channel}.tif", r"add \{well\}"),
        ("{row}_{channel}.tif", r"add \{well\}"),
        ("phoenix", "did you mean 'phenix'"),
        ("{well_{channel}.tif", "not closed"),
        ("{foo}/phenix", "no placeholder"),
    ],
)
def test_wrong_patterns(pattern: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        compile_pattern(pattern)


def test_guess() -> None:
    assert guess_ready_made(["r01c01f04p01-ch1sk1fk1fl1.tiff", "x.tif"]) == ""
    assert guess_ready_made(["P_A01_T0001F001L01A01Z01C01.tif"]) == "cellvoyager"
    assert guess_ready_made(["P_A01_s1_w1.tif"]) == "imagexpress"
