"""Adds a row to the table of controls, and finds out where the new control then appears.

`python tests/one_more_control.py MODELS` prints that as JSON. It is a process of its own, since
most modules read the table when they are imported.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "stream_rnn" / "control_table.py"
END = "    # fmt: on\n"  # of the rows
ROW = """
    swing: float = _row(
        "number", 0.25, "how late every other note is",
        legal=(0.0, 2.0), fader=Fader(0.0, 0.5, 0.01, curve=2.0), domains=("pianoroll",))
"""


def add_row() -> None:
    """Replaces the module by one with the new row, before anything imports it."""
    import stream_rnn

    text = SOURCE.read_text(encoding="utf-8")
    assert text.count(END) == 1
    name = "stream_rnn.control_table"
    module = sys.modules[name] = types.ModuleType(name)
    stream_rnn.control_table = module  # type: ignore[attr-defined]
    exec(compile(text.replace(END, ROW + END), SOURCE, "exec"), module.__dict__)


def findings(models: Path) -> dict[str, Any]:
    """Where the new control appears."""
    from midi_house import Rig, cc

    from stream_rnn import control_docs
    from stream_rnn.adapters.oscquery.server import _Infos
    from stream_rnn.adapters.oscquery.tree import Namespace
    from stream_rnn.adapters.web.websocket import hello
    from stream_rnn.wire.learning import Learn
    from stream_rnn.wire.messages import Message
    from stream_rnn.wire.osc_faders import fader_messages
    from stream_rnn.wire.osc_requests import requests

    rig = Rig(models)
    stage, ear = rig.house.stage, rig.ear
    found: dict[str, Any] = {"hello": json.loads(hello(stage, rig.now).json)}
    rig.open(controls={"swing": 0.125})
    found["opened"] = ear.last("opened")["controls"]["swing"]

    def now() -> float:
        rig.run(0.1)
        return float(stage.sessions["a"].controls.swing)  # type: ignore[attr-defined]

    rig.house.say(ear, "control", session="a", controls={"swing": 1.5})
    found["websocket"] = now()
    rig.house.say(ear, "control", session="a", controls={"swing": 2.5})
    found["refused"] = ear.last("error")

    for key, address, value in (("osc", "swing", 0.75), ("norm", "swing/norm", 0.5)):
        (asked,) = requests(f"/rnn/a/{address}", (value,), stage.sessions)
        assert isinstance(asked, Message)
        stage.handle(ear, asked, rig.now)
        found[key] = now()
    controls = stage.sessions["a"].controls.to_json()
    found["feedback"] = fader_messages("a", controls, ["swing"])["swing"]

    tree = Namespace(_Infos(stage))
    found["node"] = tree.node("/rnn/a/swing")
    found["values"] = {p: v for p, v in tree.values("a").items() if "swing" in p}

    asker = rig.house.join()
    rig.input.learn(asker, Learn("swing", "a", (("high", 1.0),), id="mine"), rig.now)
    rig.hear(cc(20, 0), cc(20, 32), cc(20, 64))
    found["learned"] = asker.last("learned")
    rig.run(0.1)
    rig.hear(cc(20, 127))
    found["midi"] = now()

    page = (SOURCE.parents[1] / "docs" / "protocol.md").read_text(encoding="utf-8")
    found["docs"] = [line for line in control_docs.renewed(page).split("\n") if "`swing`" in line]
    return found


if __name__ == "__main__":
    add_row()
    sys.stdout.write(json.dumps(findings(Path(sys.argv[1]))))
