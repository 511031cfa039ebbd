"""Many processes that sync overlapping folders end in the state of one process."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL

from benchmarks.writers import content, differences, make_folders, measure


def test_eight_processes_end_in_the_state_of_one(tmp_path: Path, history_url: URL) -> None:
    folders = make_folders(tmp_path, runs=60, folders=3)
    place = history_url.render_as_string(hide_password=False)
    found = measure(folders, place, str(tmp_path / "one.db"), writers=8)
    assert found.troubles == []
    assert found.differences == []
    assert (found.runs, found.inserted) == (60, 60)  # each was new to one of them


def test_a_difference_between_two_histories_shows(tmp_path: Path) -> None:
    (folder,) = make_folders(tmp_path, runs=3, folders=1)
    measure([folder], str(tmp_path / "many.db"), str(tmp_path / "one.db"), writers=1)
    one = content(str(tmp_path / "one.db"))
    other = {**one, "runs": dict(list(one["runs"].items())[1:])}
    assert len(differences(one, other)) == 1
    assert "missing" in differences(one, other)[0]
