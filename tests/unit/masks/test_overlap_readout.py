from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterstain.errors import InvalidInputError
from counterstain.masks.overlap_readout import match_readout, read_readout


def wells() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Metadata_Plate": "CK01",
            "Metadata_Well": ["A01", "A02", "A03", "A04"],
            "iou": [0.1, 0.2, np.nan, 0.4],
        }
    )


def test_wells_are_matched_and_strangers_named(tmp_path: Path) -> None:
    path = tmp_path / "readout.csv"
    path.write_text("Well;Overlap %\na1;11.5\nA - 03;30\nA04;\nP24;99\n")
    match = match_readout(wells(), read_readout(path, "Overlap %"))
    assert match.both["Metadata_Well"].tolist() == ["A01"]
    assert match.both["readout"].tolist() == [11.5]
    assert len(match.wells) == 4
    assert match.not_on_plate == ("P24",)
    assert match.without_readout == ("A02", "A04")
    assert match.without_value == ("A03",)
    assert len(match.notes) == 3
    assert "1 well(s) of the readout are not on the plate and take no part: P24." in match.notes


def test_a_full_match_has_no_notes() -> None:
    readout = pd.DataFrame({"Metadata_Well": ["A01", "A02"], "readout": [1.0, 2.0]})
    assert match_readout(wells().iloc[:2], readout).notes == ()


def test_all_problems_of_a_readout_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "readout.csv"
    path.write_text("Metadata_Well,overlap\nA01,1\nZ99,2\nA01,3\nA02,much\n")
    with pytest.raises(InvalidInputError) as caught:
        read_readout(path, "overlap")
    problems = caught.value.problems
    assert len(problems) == 3
    assert any("row 3" in problem and "Z99" in problem for problem in problems)
    assert any("rows 2, 4" in problem for problem in problems)
    assert any("'much'" in problem for problem in problems)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "readout.csv"
    path.write_text("Metadata_Well,iou\nA01,1\n")
    with pytest.raises(InvalidInputError, match="overlap"):
        read_readout(path, "overlap")
    with pytest.raises(InvalidInputError, match="`wells` dice"):
        match_readout(wells(), read_readout(path, "iou"), value="dice")


def test_several_plates_need_a_plate_column() -> None:
    both = pd.concat([wells(), wells().assign(Metadata_Plate="CK02")])
    readout = pd.DataFrame({"Metadata_Well": ["A01"], "readout": [1.0]})
    with pytest.raises(InvalidInputError, match="there are 2 plates"):
        match_readout(both, readout)
    named = match_readout(both, readout.assign(Metadata_Plate="CK02"))
    assert named.both["Metadata_Plate"].tolist() == ["CK02"]
    assert len(named.without_readout) == 7
