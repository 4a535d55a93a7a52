"""All viewers of a session are told what any client does to it, by whatever protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import Ear, House

from stream_rnn.adapters.osc.voices import OscVoices, PlainForm
from stream_rnn.wire.osc import parse_packet

DONE: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "control": ("control", {"controls": {"temperature": 2}}, ("controlled",)),
    "at the bar": ("control", {"controls": {"temperature": 2}, "at": "bar"}, ("controlled",)),
    "model": ("control", {"controls": {}, "model": "roll"}, ("reset", "opened")),
    "feed": ("feed", {"symbols": "abc"}, ("fed",)),
    "long feed": ("feed", {"symbols": "abc" * 200}, ("fed",)),
    "play": ("play", {}, ("playing",)),
    "pause": ("pause", {}, ("paused",)),
    "reset": ("reset", {}, ("reset",)),
    "rewind": ("rewind", {"to": 3}, ("rewound",)),
    "close": ("close", {}, ("closed",)),
}
NEWS = {"controlled", "fed", "playing", "paused", "reset", "rewound", "closed", "opened"}


@pytest.mark.parametrize("stranger", [False, True])
@pytest.mark.parametrize("done", DONE)
def test_everybody_who_views_hears_it_and_the_asker_with_its_id(
    models: Path, done: str, stranger: bool
) -> None:
    house = House(models)
    owner, other = house.join(), house.join()
    house.say(owner, "open", model="verse", session="s", seed=1)
    house.run(0.5)
    house.say(other, "attach", session="s")
    packets: list[bytes] = []
    program = OscVoices(packets.append, house.clock.now, lambda t: t, PlainForm(), 0.0)
    program.begin("s")
    house.say(program, "attach", session="s")  # type: ignore[arg-type]
    asker = house.join() if stranger else owner
    everybody: list[Ear] = [owner, other]
    before, heard = [len(one.messages) for one in everybody], len(packets)
    type, fields, kinds = DONE[done]
    house.say(asker, type, session="s", id="mine", **fields)
    told = [
        [m for m in one.messages[seen:] if m["type"] in NEWS]
        for one, seen in zip(everybody, before, strict=True)
    ]
    assert [m["type"] for m in told[1]] == list(kinds)
    assert all("id" not in m for m in told[1])
    mine = [m for m in asker.messages if m.get("id") == "mine"]
    assert [m["type"] for m in mine] == [kinds[-1]]
    assert {k: v for k, v in mine[0].items() if k != "id"} == told[1][-1]
    if stranger:
        assert told[0] == told[1]
    else:
        assert told[0] == [*told[1][:-1], mine[0]]
    said = [m.address for data in packets[heard:] for m in parse_packet(data)]
    assert [a for a in said if a.split("/")[-1] in NEWS] == [f"/rnn/s/{kind}" for kind in kinds]
