import pytest
from matplotlib.figure import Figure

from fusedet.train.loop.curve_plots import draw_curves


@pytest.mark.parametrize("epochs", [1, 2, 3, 100])
def test_epochs_are_whole_numbers(tmp_path, monkeypatch, epochs):
    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *args, **kw: (drawn.append(figure), save(figure, *args, **kw))
    )
    rows = [{"epoch": i + 1.0, "loss": 1 / (i + 1), "cls": 0.5, "ap": 0.1 * i, "lr": 0.01} for i in range(epochs)]
    draw_curves(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    for axes in drawn[0].axes:
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
