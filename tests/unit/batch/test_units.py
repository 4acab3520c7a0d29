import pytest

from deployments.batch.units import InputFile, units_of


def parquet(name, *group_rows, layout="a"):
    return InputFile(path=name, size=100 * sum(group_rows), modified=0, group_rows=group_rows, layout=layout)


def covered(files, units):
    return [
        (files[one.file].path, one.first_row + row)
        for unit in units
        for one in unit.slices
        for row in range(one.rows)
    ]


@pytest.mark.parametrize(
    ("files", "expected_units"),
    [
        pytest.param([parquet("a", 10, 10, 10, 10)], 2, id="a-large-file-is-divided-between-groups"),
        pytest.param([parquet("a", 5), parquet("b", 5), parquet("c", 5), parquet("d", 5)], 1, id="small-share"),
        pytest.param([parquet("a", 5), parquet("b", 5, layout="b")], 2, id="other-columns-other-unit"),
        pytest.param([parquet("a", 100, 3)], 2, id="a-group-is-never-divided"),
        pytest.param([parquet("a", 0, 7, 0)], 1, id="empty-groups-are-no-work"),
        pytest.param([parquet("a", 0)], 0, id="nothing-is-no-unit"),
    ],
)
def test_units_cover_every_row_once_in_order(files, expected_units):
    units = units_of(files, rows_a_unit=20)
    assert len(units) == expected_units
    assert covered(files, units) == [(file.path, row) for file in files for row in range(sum(file.group_rows))]
    assert [unit.number for unit in units] == list(range(len(units)))


def test_text_files_are_whole_and_share_units_by_their_bytes():
    files = [InputFile(path=name, size=size, modified=0) for name, size in [("a", 600), ("b", 300), ("c", 900)]]
    units = units_of(files, 4)
    assert [[one.file for one in unit.slices] for unit in units] == [[0, 1], [2]]
    assert [unit.size for unit in units] == [900, 900]
