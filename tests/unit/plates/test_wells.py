from __future__ import annotations

import pytest

from counterstain.errors import InvalidInputError
from counterstain.plates.wells import normalise_well, plate_shape, row_name, well_position


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("A1", "A01"),
        ("a01", "A01"),
        (" H12 ", "H12"),
        ("A - 01", "A01"),
        ("B-3", "B03"),
        ("P024", "P24"),
        ("aa1", "AA01"),
        ("AF48", "AF48"),
    ],
)
def test_one_spelling(text: str, well: str) -> None:
    assert normalise_well(text) == well
    assert normalise_well(well) == well


@pytest.mark.parametrize("text", ["", "A", "1", "A0", "A49", "AG1", "ABC1", "A1.5", "1A", "A1B2"])
def test_no_well(text: str) -> None:
    with pytest.raises(InvalidInputError, match="A well must be"):
        normalise_well(text)


def test_positions_are_zero_based_and_cover_1536_wells() -> None:
    assert well_position("A01") == (0, 0)
    assert well_position("H12") == (7, 11)
    assert well_position("AF48") == (31, 47)
    assert [well_position(f"{row_name(row)}01")[0] for row in range(32)] == list(range(32))


@pytest.mark.parametrize(
    ("wells", "shape"),
    [
        ([], (2, 3)),
        (["B03"], (2, 3)),
        (["C04"], (3, 4)),
        (["D06"], (4, 6)),
        (["F08"], (6, 8)),
        (["A12"], (8, 12)),
        (["I01"], (16, 24)),
        (["AA01"], (32, 48)),
    ],
)
def test_smallest_format(wells: list[str], shape: tuple[int, int]) -> None:
    assert plate_shape(wells) == shape
