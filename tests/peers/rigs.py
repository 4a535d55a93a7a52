"""What the tests of the rigs share: a rig's settings, and a viewer that hears the same stream."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.programs import Program, Served, SonicPi, until
from talker import Talker

CLIENTS = Path(__file__).parents[2] / "clients"


def with_settings(rig: str, copy: Path, settings: Mapping[str, str]) -> Path:
    """A copy of a rig with some settings changed, as a performer changes them in an editor.

    Args:
        rig: a file under `clients/`.
        copy: where the copy goes.
        settings: what begins a line, with `…` in place of the value; and the new value. Each must
            be there exactly once.
    """
    text = (CLIENTS / rig).read_text()
    for line, value in settings.items():
        before, after = (re.escape(part) for part in line.split("…"))
        found = re.findall(f"(?m)^{before}(.*?){after or '$'}", text)
        assert len(found) == 1, f"{rig}: {len(found)} lines are {line!r}"
        text = text.replace(line.replace("…", found[0]), line.replace("…", value), 1)
    copy.write_text(text)
    return copy


class Listener:
    """A WebSocket viewer of a session in a thread of its own, beside a rig that hears the same."""

    def __init__(self, served: Served, session: str, model: str, rate: float = 20.0) -> None:
        self.session = session
        self._talker = Talker(served.http)
        controls = {"rate": rate}
        opened = self._talker.ask(
            "open", "opened", model=model, session=session, seed=1, controls=controls
        )
        assert opened["type"] == "opened", opened
        self.heard: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                self.heard.append(self._talker.next(0.2))

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        time.sleep(0.3)  # what the rig heard last is to be heard here, too
        self._stop.set()
        self._thread.join()
        self._talker.close()

    def say(self, type: str, **fields: Any) -> None:
        """Asks for something."""
        self._talker.say(type, **fields)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a type."""
        return [m for m in list(self.heard) if m["type"] == kind]

    def changes(self, name: str) -> list[tuple[Any, int]]:
        """Each change of a control: its new value, and the first symbol that obeys."""
        return [
            (m["controls"][name], m["position"]) for m in self.of("controlled")
            if name in m["changed"]
        ]  # fmt: skip

    def agree_on_characters(self, heard: Sequence[re.Match[str]], least: int = 30) -> None:
        """Holds that characters with their numbers are those of this viewer, none missing.

        Args:
            heard: with the character and its number as groups 1 and 2.
        """
        seen = {m["n"]: m for m in self.of("symbol")}
        numbers = [int(m[2]) for m in heard]
        assert len(numbers) >= least, numbers
        expected = list(range(min(numbers), max(numbers) + 1))
        # What is fed is due at once, a moment before what was committed already: programs that
        # wait for timetags turn the two round.
        in_time = sorted(expected, key=lambda n: (seen[n]["due"], n))
        assert numbers in (expected, in_time), numbers
        assert [m[1] for m in heard] == [seen[n]["text"] for n in numbers]

    def agree_on_notes(self, heard: Sequence[re.Match[str]], least: int = 40) -> None:
        """Holds that notes are the changes between the frames that this viewer saw, none missing.

        Args:
            heard: with pitch and velocity as groups 1 and 2, from the first note after subscribing
                on; where the session was paused, the notes that it ended are the last.
        """
        notes = [(int(m[1]), int(m[2]) > 0) for m in heard]
        frames = [set(m["notes"]) for m in self.of("symbol")]
        assert len(notes) >= least, notes
        starts = [_changes([*frames[start:], set()]) for start in range(len(frames))]
        assert any(notes == expected[: len(notes)] for expected in starts), (notes, frames)

    def agree_on_frames(self, heard: Sequence[list[int]], least: int = 10) -> None:
        """Holds that frames are a part of those that this viewer saw, none missing."""
        frames = [m["notes"] for m in self.of("symbol")]
        assert len(heard) >= least, heard
        runs = (frames[start : start + len(heard)] for start in range(len(frames)))
        assert any(run == heard for run in runs), (heard, frames)


def _changes(frames: Sequence[set[int]]) -> list[tuple[int, bool]]:
    """The keys that go up and down as one frame follows another, from silence."""
    changes = []
    for before, after in zip([set(), *frames], frames, strict=False):
        changes += [(pitch, False) for pitch in sorted(before - after)]
        changes += [(pitch, True) for pitch in sorted(after - before)]
    return changes


def check_steering(
    it: Program | SonicPi,
    viewer: Listener,
    temperature: Callable[[], None],
    artist: Callable[[], None],
) -> None:
    """Holds that a program can steer mid-stream, and hears which symbol is the first that obeys.

    Args:
        it: prints `controlled NAME VALUE POSITION` for what it hears.
        temperature: makes it ask for a temperature of 0.25.
        artist: makes it ask for one part of Ada and three of Bo.
    """
    # What a program might write in a way of its own.
    viewer.say("feed", session=viewer.session, symbols="a b\nc")
    temperature()
    cooler = it.wait(r"^controlled:? temperature 0.25\d* (\d+) ?$")[-1]
    it.wait(rf" {int(cooler[1]) + 5}\b")
    artist()
    blended = it.wait(r"^controlled:? artist (.*) (\d+) ?$")[-1]
    until(lambda: viewer.changes("artist"))
    assert viewer.changes("temperature")[-1] == (0.25, int(cooler[1]))
    assert viewer.changes("artist")[-1] == ({"Ada": 0.25, "Bo": 0.75}, int(blended[2]))
    assert blended[1] == "Ada=0.25 Bo=0.75"
    # Mid-stream: there is a before and an after.
    assert 0 < int(cooler[1]) < int(blended[2]), (cooler, blended)
    it.wait(rf" {int(blended[2]) + 10}\b")
