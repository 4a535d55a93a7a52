"""The stage under any sequence of requests and troubles: a stream is a function of its log.

Hypothesis makes up the sequences. After each step, every symbol that anybody was told is computed
again from the acknowledged log alone (`oracle.recompute`). For a longer run:

    STREAM_RNN_MACHINE_EXAMPLES=2000 python -m pytest tests/stage/test_machine.py
    STREAM_RNN_MACHINE_SEED=3 …    # other sequences than the usual ones
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from oracle.plan import place
from oracle.recompute import Recomputer
from troubled_house import (
    LIMITS,
    PRIME,
    Client,
    TroubledHouse,
    everything_small,
    make_small_models,
)

from stream_rnn.checkpoint import find_models
from stream_rnn.engine.slots import Slots

EXAMPLES = int(os.environ.get("STREAM_RNN_MACHINE_EXAMPLES", "50"))
SEED = os.environ.get("STREAM_RNN_MACHINE_SEED")
STEPS = 50
ENCORE = 5  # symbols that each session has to go on with in the end

MODELS = ("verse", "roll", "prose", "piano")
ELEMENTS: dict[str, list[Any]] = {
    "verse": list("be or not"),
    "prose": list("be or not"),
    "roll": [[60], [60, 64], [], [48, 72]],
    "piano": [{"on": 60}, {"velocity": 96}, {"shift": 0.1}, {"on": 64}, {"off": 60}],
}
CONTROLS: list[dict[str, Any]] = [
    {"temperature": 0}, {"temperature": 2}, {"seed": 1}, {"seed": 2}, {"top_k": 1}, {"top_k": 3},
    {"top_p": 0.5}, {"artist": "Ada"}, {"artist": {"Bo": 1, "Cy": 3}}, {"density": 2},
    {"pitches": "C major"}, {"pitches": None}, {"rate": 5}, {"rate": 60}, {"bpm": 100},
    {"velocity": 90}, {"temperature": 0.5, "rate": 2}, {"top_k": 2, "bpm": 600},
]  # fmt: skip
PLACES = st.one_of(
    st.builds(lambda n: {"back": n}, st.integers(0, 12)),
    st.builds(lambda n: {"from": n}, st.integers(0, 12)),
    st.builds(lambda n: {"share": n / 10}, st.integers(0, 10)),
)
COUNTS = st.sampled_from((1, 2, 3, 5, 10, 30, 70))
WHO = st.sampled_from((0, 0, 0, 1, 2))


def some(model: str, count: int) -> Any:
    """So many symbols to feed."""
    elements = ELEMENTS[model] * (count // len(ELEMENTS[model]) + 1)
    return "".join(elements[:count]) if model in ("verse", "prose") else elements[:count]


def checked(act: Callable[..., Any]) -> Callable[..., Any]:
    """A rule after which all is compared. (An invariant would be named in every example.)"""

    @functools.wraps(act)
    def act_and_check(self: Machine, **arguments: Any) -> Any:
        made = act(self, **arguments)
        self.check()
        return made

    return act_and_check


class Machine(RuleBasedStateMachine):
    """Clients, engine and time, in any order."""

    models: Path
    recomputer: Recomputer
    counts: Counter[str]
    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.house = TroubledHouse(self.models, self.recomputer)
        self.house.counts = self.counts
        self.names: list[str] = []
        self.opened = 0
        self.failed = False

    def _ask(self, who: int, type: str, **fields: Any) -> None:
        self.house.ask(self.house.clients[who], type, **fields)

    def _model(self, session: str) -> str:
        return self.house.driver.histories[session].past.model

    def _place(self, session: str, where: dict[str, Any]) -> int:
        return place(where, self.house.driver.position(session))

    def _new(self) -> str:
        self.opened += 1
        return f"s{self.opened}"

    def _made(self, name: str) -> Any:
        if name not in self.house.driver.histories:
            return multiple()
        self.names.append(name)
        return name

    # Requests

    @initialize(target=sessions, model=st.sampled_from(MODELS), prime=st.sampled_from((0, 0, 3)))
    @checked
    def open_first(self, model: str, prime: int) -> Any:
        return self.open(model=model, prime=prime, play=False, controls={"rate": 60}, seed=7)

    @precondition(lambda self: len(self.names) < LIMITS.sessions)
    @rule(
        target=sessions,
        model=st.sampled_from(MODELS),
        prime=st.sampled_from((0, 0, 1, 3, 20)),
        play=st.booleans(),
        controls=st.sampled_from([{"rate": 60}, {"rate": 5}, {"rate": 20, "temperature": 2}]),
        seed=st.sampled_from((7, 8)),
    )
    @checked
    def open(self, model: str, prime: int, play: bool, controls: dict[str, Any], seed: int) -> Any:
        name = self._new()
        self._ask(0, "open", session=name, model=model, seed=seed, controls=controls, play=play,
                  prime=some(model, prime) if prime else "")  # fmt: skip
        return self._made(name)

    @rule(
        session=sessions,
        who=WHO,
        controls=st.sampled_from(CONTROLS),
        at=st.sampled_from(("now", "now", "beat", "bar")),
    )
    @checked
    def control(self, session: str, who: int, controls: dict[str, Any], at: str) -> None:
        self._ask(who, "control", session=session, controls=controls, at=at)

    @rule(session=sessions, count=COUNTS, in_time=st.booleans())
    @checked
    def feed(self, session: str, count: int, in_time: bool) -> None:
        symbols = some(self._model(session), count)
        self._ask(0, "feed", session=session, symbols=symbols, in_time=in_time)

    @rule(session=sessions, who=WHO, type=st.sampled_from(("pause", "play", "play", "reset")))
    @checked
    def simple(self, session: str, who: int, type: str) -> None:
        self._ask(who, type, session=session)

    @rule(session=sessions, who=WHO, count=COUNTS)
    @checked
    def step(self, session: str, who: int, count: int) -> None:
        self._ask(who, "step", session=session, count=count)

    @rule(session=sessions, who=WHO, where=PLACES)
    @checked
    def rewind(self, session: str, who: int, where: dict[str, Any]) -> None:
        self._ask(who, "rewind", session=session, to=self._place(session, where))

    @precondition(lambda self: len(self.names) < LIMITS.sessions)
    @rule(target=sessions, session=sessions, where=st.one_of(st.none(), PLACES))
    @checked
    def fork(self, session: str, where: dict[str, Any] | None) -> Any:
        name = self._new()
        at = {} if where is None else {"at": self._place(session, where)}
        self._ask(0, "fork", session=session, **at, **{"as": name})
        return self._made(name)

    @rule(session=sessions, model=st.sampled_from(MODELS), controls=st.sampled_from(CONTROLS))
    @checked
    def change_model(self, session: str, model: str, controls: dict[str, Any]) -> None:
        self._ask(0, "control", session=session, model=model, controls=controls)

    @rule(session=consumes(sessions))
    @checked
    def close(self, session: str) -> None:
        self._ask(0, "close", session=session)
        self.names.remove(session)

    @rule(
        session=sessions,
        controls=st.sampled_from(CONTROLS),
        where=PLACES,
        count=COUNTS,
        rested=st.booleans(),
    )
    @checked
    def change_of_mind(
        self,
        session: str,
        controls: dict[str, Any],
        where: dict[str, Any],
        count: int,
        rested: bool,
    ) -> None:
        """A change, perhaps far behind what is computed, is taken back at once."""
        self._ask(0, "pause", session=session)
        if rested:
            self.house.pass_time(0.1, 0.05)
        self._ask(0, "control", session=session, controls=controls)
        self._ask(0, "rewind", session=session, to=self._place(session, where))
        self._ask(0, "step", session=session, count=count)

    # Listeners

    @rule(
        session=sessions,
        who=st.sampled_from((1, 2)),
        after=st.sampled_from(("all", "live", "last", "last", "leave")),
    )
    @checked
    def attach_or_leave(self, session: str, who: int, after: str) -> None:
        if after == "leave":
            self.house.go_away(self.house.clients[who])
        else:
            self.house.attach(self.house.clients[who], session, after)

    @rule(seconds=st.sampled_from((0.5, 4.0)))
    @checked
    def nobody_listens(self, seconds: float) -> None:
        for client in self.house.clients:
            self.house.go_away(client)
        self.house.pass_time(seconds, 0.3)
        for name in self.names:
            self.house.attach(self.house.driver, name)

    # Time and the engine

    @rule(
        seconds=st.sampled_from((0.02, 0.1, 0.3)), step=st.sampled_from((0.01, 0.02, 0.1, 0.4, 2.5))
    )
    @checked
    def time_passes(self, seconds: float, step: float) -> None:
        self.house.pass_time(seconds, step)

    @rule(seconds=st.sampled_from((0.1, 2.5)), batches=st.sampled_from((0, 1, 3)))
    @checked
    def engine_is_slow(self, seconds: float, batches: int) -> None:
        self.house.clock.advance(0.05)
        self.house.engine.pump(self.house.clock.now(), batches)
        if not batches:
            self.house.pass_time(seconds, seconds / 2, works=False)

    @precondition(lambda self: self.house.engine.lives)
    @rule(has_room=st.booleans(), commands_first=st.booleans())
    @checked
    def pipe_holds_up_or_lets_through(self, has_room: bool, commands_first: bool) -> None:
        if self.house.engine.held:
            self.house.let_through(commands_first)
        else:
            self.house.engine.hold_up(has_room)

    @rule()
    @checked
    def engine_dies_or_comes_back(self) -> None:
        if self.house.engine.lives:
            self.house.engine.kill()
        else:
            self.house.bring_engine()

    # What has to be so

    def check(self) -> None:
        """Compares what came since the last time with the log."""
        if found := self.house.differences():
            self.failed = True
            raise AssertionError("\n".join(found[:5]))

    def teardown(self) -> None:
        """Each session goes on, and one who comes last is told all of it."""
        if self.failed:
            return
        house, witness = self.house, Client(self.house, "witness")
        house.clients.append(witness)
        if not house.engine.lives:
            house.bring_engine()
        if house.engine.held:
            house.let_through()
        goals = {}
        for name in self.names:
            self._ask(0, "pause", session=name)
            house.attach(witness, name, "all")
            goals[name] = house.driver.position(name) + ENCORE
            self._ask(0, "step", session=name, count=ENCORE)
        house.pass_time(1.0, 0.05)
        self.check()
        for name, goal in goals.items():
            for client in (house.driver, witness):
                assert client.position(name) >= goal, f"{name} stands still for {client.name}"
        self.counts["sessions"] += self.opened


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Machine]]:
    """The machine, with its models, where everything is small."""
    Machine.models = make_small_models(tmp_path_factory.mktemp("small-models"))
    Machine.recomputer = Recomputer(find_models(Machine.models), PRIME)
    Machine.counts = Counter()
    with everything_small():
        yield Machine


def run(machine: type[Machine], examples: int, **more: Any) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, database=None,
        derandomize=SEED is None, print_blob=False, suppress_health_check=list(HealthCheck), **more
    )  # fmt: skip
    if SEED is not None:
        machine = seeded(int(SEED))(machine)
    run_state_machine_as_test(machine, settings=chosen)


def test_the_machine_finds_a_rollback_that_is_one_position_off(
    machine: type[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that goes back goes on from the state one position later, where that is known."""
    go_back = Slots._go_back

    def too_little(self: Slots, slot: int, position: int, *others: Any) -> int:
        states, later = self._states, self._states.holds(slot, position + 1)
        following = go_back(self, slot, position, *others)
        if later and following == position > 0:
            for part in states.room:
                part[states.place(slot, position)] = part[states.place(slot, position + 1)]
        return following

    monkeypatch.setattr(Slots, "_go_back", too_little)
    with pytest.raises(AssertionError, match="and it should be"):
        run(machine, 100, phases=[Phase.generate], report_multiple_bugs=False)


def test_a_stream_is_a_function_of_its_log(machine: type[Machine]) -> None:
    run(machine, EXAMPLES)
    counts = dict(sorted(machine.counts.items()))
    assert counts["symbols"] > 10 * EXAMPLES, counts
