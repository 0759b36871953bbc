from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from counterstain.config import ClassRule
from counterstain.errors import InvalidInputError, MissingFileError
from counterstain.plates.layout import assign_classes, load_plate_map, read_plate_map

HEADER = "Metadata_Plate,Metadata_Well,Metadata_Compound,Metadata_Concentration\n"


def write(folder: Path, text: str, name: str = "platemap.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_wells_are_normalised_numbers_numeric_and_names_text(tmp_path: Path) -> None:
    table = read_plate_map(write(tmp_path, HEADER + "0012,a1,42,\n0012,A2,,2.5\n"))
    assert table["Metadata_Well"].tolist() == ["A01", "A02"]
    assert table["Metadata_Plate"].tolist() == ["0012", "0012"]
    assert table["Metadata_Compound"].tolist() == ["42", ""]
    assert table["Metadata_Concentration"].dtype == float
    assert table["Metadata_Concentration"].isna().tolist() == [True, False]


@pytest.mark.parametrize(("separator", "name"), [(";", "m.csv"), ("\t", "m.tsv"), ("\t", "m.txt")])
def test_separators_and_byte_order_mark(tmp_path: Path, separator: str, name: str) -> None:
    text = "\ufeff" + HEADER.replace(",", separator) + separator.join(["P1", "B2", "x", "1"])
    table = read_plate_map(write(tmp_path, text, name))
    assert table.columns[0] == "Metadata_Plate"
    assert table.loc[0, "Metadata_Well"] == "B02"


def test_workbook_reads_as_the_same_text(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Metadata_Plate", "Metadata_Well", "Metadata_Concentration"],
        [7, "A1", 0],
        [7, "A2", 2.5],
        [None, None, None],
    ):
        sheet.append(row)
    path = tmp_path / "platemap.xlsx"
    book.save(path)
    table = read_plate_map(path)
    assert table["Metadata_Plate"].tolist() == ["7", "7"]
    assert table["Metadata_Concentration"].tolist() == [0.0, 2.5]


def test_no_workbook(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"m\.xlsx must be an XLSX workbook"):
        read_plate_map(write(tmp_path, "not a zip", "m.xlsx"))


def test_duplicate_wells_are_named_with_rows_as_in_a_spreadsheet(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "P1,A1,,\nP2,A1,,\n\nP1,B1,,\nP1,A01,,\nP1,B1,,\n")
    with pytest.raises(InvalidInputError) as caught:
        read_plate_map(path)
    first, second = caught.value.problems
    assert "rows 2 and 6" in first
    assert "P1 A01" in first
    assert "'A1' and 'A01'" in first
    assert "rows 5 and 7" in second


def test_every_bad_well_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_plate_map(write(tmp_path, HEADER + "P1,Z99,,\nP1,A1,,\nP1,,,1\n"))
    assert ["row 2" in caught.value.problems[0], "row 4" in caught.value.problems[1]] == [True] * 2


@pytest.mark.parametrize("name", ["Well", "well", "Metadata_well", "Metadata_Wel", "WellID"])
def test_missing_well_column_suggests_the_close_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"rename '{name}' to 'Metadata_Well'"):
        read_plate_map(write(tmp_path, f"{name},Metadata_Compound\nA1,x\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "row is empty"),
        ("Metadata_Well,dose,dose\nA1,1,2\n", "more than one column 'dose'"),
        ("Metadata_Well,a\nA1,b,stray\n", "column 3, which has no name"),
        ("Metadata_Well,a\n", "must have a row a well"),
        ("Metadata_Plate,Metadata_Well\nP1,A1\n,A2\n", r"row\(s\) 3: Metadata_Plate is empty"),
    ],
)
def test_damaged_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        read_plate_map(write(tmp_path, text))


def test_missing_table_and_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_plate_map(tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes("Metadata_Well,Metadata_x\nA1,µ\n".encode("latin-1"))
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_plate_map(tmp_path / "latin.csv")


def test_columns_without_prefix_are_noted(tmp_path: Path) -> None:
    table, spellings, notes = load_plate_map(write(tmp_path, "Metadata_Well,dose\nA1,1\n"))
    assert list(table.columns) == ["Metadata_Well"]
    assert spellings == {"A01": "A1"}
    assert "dose" in notes[0]


@pytest.fixture
def wells() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Metadata_Well": ["A01", "A02", "B01", "B02"],
            "Metadata_control_type": ["negcon", "poscon", "", "poscon"],
            "Metadata_Concentration": [0.0, 1.0, 2.5, 10.0],
            "Metadata_Batch": ["1", "1", "x", "2"],
        }
    )


def test_all_columns_of_a_rule_must_hold(wells: pd.DataFrame) -> None:
    rules: dict[str, ClassRule] = {
        "sick": {"Metadata_control_type": "negcon"},
        "well": {"Metadata_control_type": "poscon", "Metadata_Concentration": [1, 2]},
        "none": {"Metadata_control_type": ""},
    }
    with pytest.raises(InvalidInputError, match=r"Metadata_Concentration is 2 in no well"):
        assign_classes(wells, rules)
    rules["well"]["Metadata_Concentration"] = [1, 10]
    assert assign_classes(wells, rules).tolist() == ["sick", "well", "none", "well"]


def test_numbers_match_as_numbers_and_wells_in_any_spelling(wells: pd.DataFrame) -> None:
    rules: dict[str, ClassRule] = {
        "a": {"Metadata_Batch": 1},
        "b": {"Metadata_Well": ["b1"]},
        "c": {"Metadata_Batch": "2"},
    }
    assert assign_classes(wells, rules).tolist() == ["a", "a", "b", "c"]


def test_rows_and_columns_follow_from_the_well(wells: pd.DataFrame) -> None:
    rules: dict[str, ClassRule] = {
        "left": {"Metadata_Column": 1},
        "right": {"Metadata_Row": "A", "Metadata_Column": 2},
    }
    assert assign_classes(wells, rules).tolist() == ["left", "right", "left", ""]


def test_problems_of_rules_all_at_once(wells: pd.DataFrame) -> None:
    rules: dict[str, ClassRule] = {
        "a": {"control_type": "negcon"},
        "b": {"Metadata_control_type": "Negcon"},
        "c": {"Metadata_Batch": "7"},
        "d": {"Metadata_Well": "Q99"},
        "e": {},
        "f": {"Metadata_Batch": "1"},
        "g": {"Metadata_Column": 1},
    }
    with pytest.raises(InvalidInputError) as caught:
        assign_classes(wells, rules)
    text = str(caught.value)
    assert "did you mean 'Metadata_control_type'?" in text
    assert "did you mean 'negcon'?" in text
    assert "it has '1', '2', 'x'" in text
    assert "'Q99'" in text
    assert "`classes.e` must say" in text
    assert "1 well(s), such as A01, are in both 'f' and 'g'" in text
