"""The rig for Pure Data in Pd without its window, and a second patch for the hands."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.programs import Program, Served, free_port, needs, program, stream_rnn, until
from peers.rigs import CLIENTS, Listener, check_steering, with_settings

pytestmark = [pytest.mark.peer, needs("pd")]

# Moves the rig's sliders by their receive names, as a controller would.
HANDS = """#N canvas 0 0 450 300 12;
#X obj 20 20 netreceive -u PORT;
#X obj 20 50 route temperature blend pause play;
#X obj 20 80 s rnn-temperature;
#X obj 120 80 s rnn-blend;
#X obj 220 80 s rnn-pause;
#X obj 320 80 s rnn-play;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 1 1 3 0;
#X connect 1 2 4 0;
#X connect 1 3 5 0;
"""


class Hands:
    """Somebody at the sliders."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self.patch = folder / "hands.pd"
        self.patch.write_text(HANDS.replace("PORT", str(self._port)))

    def move(self, text: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(f"{text};\n".encode(), ("127.0.0.1", self._port))


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with stream_rnn(models, tmp_path_factory.mktemp("log") / "log") as it:
        yield it


@contextlib.contextmanager
def rig(folder: Path, served: Served, session: str, model: str) -> Iterator[tuple[Program, Hands]]:
    """The rig, playing, and somebody at its sliders."""
    settings = {
        "#X msg 20 90 connect 127.0.0.1 …;": str(served.osc),
        "#X msg 220 90 symbol …;": session,
        "#X msg 340 90 symbol …;": model,
        "#X msg 500 90 symbol …;": "Ada",
        "#X msg 700 90 symbol …;": "Bo",
    }
    copy = with_settings("puredata/stream_rnn.pd", folder / "rig.pd", settings)
    shutil.copy(CLIENTS / "puredata" / "stream_rnn_voice.pd", folder)
    hands = Hands(folder)
    command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", copy, hands.patch]
    with program(command, folder / "pd.log", "\\", cwd=folder) as it:  # Pd prints "\ " for " "
        it.wait(r"^(char|note): ", 20)
        yield it, hands
        # Its own, or the server's: but while a server is started anew, it has no session yet.
        assert not it.find(r"^error: (?!unknown_session)")


def test_plays_a_text_and_steers_it(served: Served, tmp_path: Path) -> None:
    with (
        Listener(served, "words", "verse") as viewer,
        rig(tmp_path, served, "words", "verse") as (it, hands),
    ):
        check_steering(
            it, viewer, lambda: hands.move("temperature 0.25"), lambda: hands.move("blend 0.75")
        )
    viewer.agree_on_characters(it.find(r"^char: ([\s\S]) (\d+)$"))


def test_plays_notes_until_it_is_paused(served: Served, tmp_path: Path) -> None:
    with (
        Listener(served, "keys", "roll") as viewer,
        rig(tmp_path, served, "keys", "roll") as (it, hands),
    ):
        it.wait(r"^note: ", 40)
        hands.move("pause")
        until(lambda: viewer.of("paused"))
        it.wait(r"^note: (\d+) 0 ", len(it.find(r"^note: \d+ [1-9]")))
    viewer.agree_on_notes(it.find(r"^note: (\d+) (\d+) "))


def test_finds_a_server_that_was_started_anew(models: Path, tmp_path: Path) -> None:
    port = ("--osc-port", str(free_port()))
    with contextlib.ExitStack() as stack:
        with stream_rnn(models, tmp_path / "log", *port) as served:
            with Listener(served, "again", "verse"):
                it, _ = stack.enter_context(rig(tmp_path, served, "again", "verse"))
        before = len(it.find(r"^char: "))
        time.sleep(3)  # long enough to be noticed: Pd's socket is told that nobody is there
        with (
            stream_rnn(models, tmp_path / "log", *port) as served,
            Listener(served, "again", "verse") as viewer,
        ):
            it.wait(r"^char: ", before + 45)
            stack.close()
        viewer.agree_on_characters(it.find(r"^char: ([\s\S]) (\d+)$")[before:])
