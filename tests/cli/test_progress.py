from __future__ import annotations

from rich.progress import Progress

from drugmon.cli.progress import Ticker


def test_the_bar_is_never_full_before_the_end() -> None:
    bar = Progress()
    tick = Ticker("scoring", bar)
    tick.update(8192, None, "of a file that was not counted")
    assert (bar.tasks[0].completed, bar.tasks[0].total) == (8192, None)
    tick.update(10, 20, "of the next one")
    assert bar.tasks[0].percentage == 50
    tick.update(8192, None, "of one more that was not counted")
    assert (bar.tasks[0].completed, bar.tasks[0].total) == (8192, None)


def test_the_bar_is_called_by_what_is_under_way() -> None:
    bar = Progress()
    tick = Ticker("tuning", bar)
    for number in (1, 2):
        tick.title = f"trial {number} of 2"
        tick.update(5, 10, "lora.r=8")
        assert bar.tasks[0].description == f"trial {number} of 2"
