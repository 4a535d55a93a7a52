"""An asker of the stage need not be a viewer, and there may be none to answer."""

from typing import Any

from support import House

from stream_rnn.stage.subscribers import Viewer
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire


class Asker:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, event: events.Event) -> None:
        self.told.append(event)


def ask(house: House, asker: Any, kind: str, **fields: Any) -> None:
    house.stage.handle(asker, wire.from_fields({"type": kind, **fields}), house.clock.now())


def test_what_nobody_asks_for_is_done_and_refused_in_silence(house: House) -> None:
    ear = house.join()
    house.say(ear, "open", model="verse", session="s")
    for kind in ("pause", "play", "reset"):
        ask(house, None, kind, session="s")
        told = {"pause": "paused", "play": "playing"}.get(kind, kind)
        assert ear.messages[-1]["type"] == told and "id" not in ear.messages[-1]
    refused = house.stage.counters.errors
    ask(house, None, "ping", t0=1.0)
    ask(house, None, "pause", session="nope")
    ask(house, None, "attach", session="s")
    assert house.stage.counters.errors == refused + 2
    house.stage.panic(None, house.clock.now())
    assert ear.messages[-1]["type"] == "paused"


def test_who_cannot_be_shown_symbols_opens_and_controls_and_is_answered(house: House) -> None:
    asker = Asker()
    assert not isinstance(asker, Viewer) and isinstance(house.join(), Viewer)
    ask(house, asker, "open", model="verse", session="s", seed=1, id=7)
    ask(house, asker, "control", session="s", controls={"temperature": 0.5}, id=8)
    assert [(e.type, e.id) for e in asker.told] == [("opened", 7), ("controlled", 8)]
    house.run(1.0)
    assert house.stage.sessions["s"].position > 5
    assert len(asker.told) == 2 and house.stage.viewers("s") == 0
    ask(house, asker, "attach", session="s")
    assert asker.told[-1].code == "bad_state"


def test_a_session_that_is_kept_counts_as_viewed(house: House) -> None:
    ask(house, asker := Asker(), "open", model="verse", session="s", play=True)
    house.stage.keep("s")
    ear = house.join()
    house.say(ear, "attach", session="s")
    assert house.stage.viewers("s") == 2
    house.stage.leave(ear, house.clock.now())
    session = house.stage.sessions["s"]
    assert house.stage.viewers("s") == 1 and session.idle_since is session.left_at is None
    ask(house, asker, "close", session="s")
    ask(house, asker, "open", model="verse", session="s")
    assert house.stage.viewers("s") == 0, "another of its name is not kept"


def test_a_place_that_views_nothing_hears_of_a_panic(house: House) -> None:
    heard: list[str] = []
    house.stage.at_panic(lambda: heard.append("panic"))
    house.stage.panic(None, house.clock.now())
    assert heard == ["panic"]
