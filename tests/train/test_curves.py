import csv
from pathlib import Path

from stream_rnn.train.curves import COLUMNS, Log, draw_curves


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def filled(path: Path) -> Log:
    log = Log(path)
    for step in (10, 20, 30):
        log.add(step, "train", 3.0 - step / 100, 1e-3, step / 7)
        log.add(step, "valid", 3.1 - step / 100, 1e-3, step / 7)
    return log


def test_a_log_begins_with_its_columns_and_has_a_line_for_each_row(tmp_path: Path) -> None:
    filled(tmp_path / "run" / "log.csv")
    found = rows(tmp_path / "run" / "log.csv")
    assert tuple(found[0]) == COLUMNS
    assert found[1] == ["10", "train", "2.90000", "0.001", "1.4"]
    assert len(found) == 7


def test_a_run_that_goes_on_drops_what_was_logged_after_its_save(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    filled(path).cut(20)
    assert [r[0] for r in rows(path)[1:]] == ["10", "10", "20", "20"]
    Log(path).add(25, "train", 1.0, 1e-3, 1.0)
    assert rows(path)[-1][0] == "25"
    Log(tmp_path / "none.csv").cut(5)
    assert not (tmp_path / "none.csv").exists()


def test_curves_are_drawn_from_any_log(tmp_path: Path) -> None:
    path, picture = tmp_path / "log.csv", tmp_path / "curves.png"
    filled(path)
    draw_curves(path, picture, title="both")
    both = picture.read_bytes()
    assert both.startswith(b"\x89PNG")
    path.unlink()
    Log(path).add(1, "valid", float("nan"), 1e-3, 1.0)
    draw_curves(path, picture, title="one point that is not a number")
    assert picture.read_bytes() != both
