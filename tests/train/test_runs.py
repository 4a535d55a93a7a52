from pathlib import Path

import pytest
from matplotlib.figure import Figure

from stream_rnn.checkpoint import Card, write_card
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import DataError
from stream_rnn.nets.architecture import Architecture
from stream_rnn.train.curves import Log, draw_comparison
from stream_rnn.train.runs import evolution, read_run


def made(folder: Path, *, card: bool = True) -> Path:
    log = Log(folder / "log.csv")
    for step in (50, 100, 150):
        log.add(step, "train", 3.0 - step / 100, 1e-3, step * 2)
        log.add(step, "valid", 2.0 + abs(step - 100) / 100, 1e-3, step * 2)
    (folder / "samples").mkdir()
    for step, text in ((1000000, "never reached"), (100, "the words"), (50, "\nxq zzt\n")):
        (folder / "samples" / f"step-{step:06d}.txt").write_text(text)
    if card:
        architecture = Architecture(4, 0, 8, 1, "categorical").to_json()
        facts = {"steps": 100, "symbols": 5000}
        codec = TextCodec("ab").to_json()
        scores = {"test": {"nll": 2.25, "symbols": 9}}
        done = Card("r", "R", codec, architecture, training=facts, scores=scores)
        write_card(folder / "best", done)
    return folder


def test_a_run_knows_its_best_and_its_symbols(tmp_path: Path) -> None:
    run = read_run(made(tmp_path / "first"))
    best = run.best()
    assert best is not None
    assert (run.name, best.step, best.loss, run.symbols_a_step) == ("first", 100, 2.0, 50.0)
    assert run.test == 2.25
    begun = read_run(made(tmp_path / "second", card=False))
    assert begun.symbols_a_step is begun.test is None


def test_the_page_has_the_samples_in_order_with_the_losses_then(tmp_path: Path) -> None:
    page = evolution(read_run(made(tmp_path / "first")))
    assert page.startswith("first: 3 samples in 150 steps, 5 min\n")
    places = [page.index(text) for text in (
        "step 50 · validation 2.500 nats a symbol · training 2.500", "xq zzt",
        "step 100 · validation 2.000 nats a symbol · training 2.000", "the words",
        "step 1,000,000 · validation 2.500", "never reached",
    )]  # fmt: skip
    assert places == sorted(places)


def test_what_is_no_run_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none: not a run's folder \(no log.csv in it\)"):
        read_run(tmp_path / "none")
    (tmp_path / "log.csv").write_text("step,split,loss,learning_rate,seconds\n")
    with pytest.raises(DataError, match="nothing is in it yet"):
        read_run(tmp_path)
    for damage in ("a,b\n1,2\n", "step,split,loss,seconds\nx,train,1,1\n", "step,split\n1\n"):
        (tmp_path / "log.csv").write_text(damage)
        with pytest.raises(DataError, match="not the log of a run"):
            read_run(tmp_path)
    Log(tmp_path / "bare" / "log.csv").add(1, "train", 1.0, 1.0, 1.0)
    with pytest.raises(DataError, match="no samples were kept"):
        evolution(read_run(tmp_path / "bare"))


@pytest.mark.parametrize("by", ["step", "symbols", "minutes"])
def test_runs_are_drawn_in_one_figure_by_name(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    save = Figure.savefig

    def saved(figure: Figure, *args: object, **options: object) -> None:
        said.extend(t.get_text() for t in figure.axes[0].get_legend().get_texts())
        said.append(figure.axes[0].get_xlabel())
        save(figure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", saved)
    Log(tmp_path / "young" / "log.csv").add(20, "train", float("nan"), 1e-3, 1.0)
    runs = [read_run(made(tmp_path / name)) for name in ("first", "second")]
    if by != "symbols":
        runs.append(read_run(tmp_path / "young"))
    draw_comparison(runs, tmp_path / "x.png", by=by)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert said[:2] == ["first: 2.000 at step 100", "second: 2.000 at step 100"]
    assert said[-1].startswith({"symbols": "million", "minutes": "min"}.get(by, "step"))
    if by != "symbols":
        assert said[2] == "young"


def test_a_run_without_a_model_has_no_symbols_to_draw_by(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no model yet"):
        draw_comparison(
            [read_run(made(tmp_path / "first", card=False))], tmp_path / "x.png", by="symbols"
        )
