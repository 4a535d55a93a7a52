"""The operations of a round: which, when, by whom, all from the seed. No I/O.

An operation is what goes into a JSON file: `do`, `at` (seconds from the round's beginning), and
what it needs. Sessions and clients have names of the round. Positions are named relative to how
far a session has come by then, since that is not known before.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Operation = dict[str, Any]

DRIVERS = (
    "anna",
    "ben",
    "cleo",
)  # each opens sessions, and hears all of them for as long as it is there
LISTENERS = ("dora", "emil", "fay")  # come, go, and put in a word
SESSIONS = 10
YOUNG = 6  # sessions more, which do what only a young session can
MOST_FORKS = 4
RESTED = 0.3  # seconds, after which an engine has often computed as far ahead as it may
OWN_TIME = ("abc", "performance")  # an engine computes the furthest ahead for these, at any rate
# How likely each operation is, of a session that somebody plays.
WEIGHTS = {
    "control": 8, "feed": 5, "rewind": 8, "step": 8, "play": 2, "pause": 2, "reset": 1, "fork": 1,
    "model": 1, "attach": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """What `hello` says of a model, as far as operations need it."""

    name: str
    domain: str
    artists: tuple[str, ...] = ()
    primes: tuple[str, ...] = ()

    @classmethod
    def of(cls, said: dict[str, Any]) -> Model:
        return cls(said["name"], said["domain"], tuple(said["artists"]), tuple(said["primes"]))


def make_round(
    seed: str, models: Sequence[Model], seconds: float, *, kills: bool = True
) -> list[Operation]:
    """The operations of a round, in order of time."""
    dice = random.Random(seed)
    planner = _Planner(dice, models, seconds)
    for number in range(SESSIONS):
        planner.session(f"s{number}", dice.uniform(seconds * 0.15, seconds * 0.5))
    # Before the others play: an engine computes ahead for a paused session last.
    for number in range(YOUNG):
        planner.young(f"y{number}", seconds * 0.1 * number / YOUNG)
    planner.absences()
    if kills:
        planner.engine()
    return sorted(planner.operations, key=lambda operation: operation["at"])


@dataclass(frozen=True)
class Temper:
    """How a session is played.

    Attributes:
        steps: how many at once.
        haste: how likely an operation comes together with the one before.
        rests: seconds between others, from and to.
    """

    steps: tuple[int, ...]
    haste: float
    rests: tuple[float, float]

    @classmethod
    def of(cls, dice: random.Random, play: bool) -> Temper:
        # Many stay near their beginning, where an engine's rollback is not full yet. And they give
        # the engine time to compute ahead as far as it may, and then want much at once: who plays
        # fast needs little of it, and who is paused comes last.
        few, many = (1, 2, 3, 5, 10), (1, 5, 33, 100, 300)
        rests = dice.choice(((0.0, 0.4), (0.1, 0.3) if play else (0.5, 1.0), (0.5, 1.5)))
        return cls(dice.choice((few, few, few, many)), dice.choice((0.5, 0.6, 0.7)), rests)


class _Planner:
    def __init__(self, dice: random.Random, models: Sequence[Model], seconds: float) -> None:
        self._dice, self._models, self._seconds = dice, models, seconds
        self.operations: list[Operation] = []
        self._forks = 0

    def _add(self, at: float, do: str, **fields: Any) -> None:
        self.operations.append({"at": round(at, 3), "do": do, **fields})

    def session(self, name: str, at: float) -> None:
        """Opens a session and plays it to the end of the round."""
        dice, model, driver = self._dice, self._some_model(), self._dice.choice(DRIVERS)
        play = dice.random() < 0.45
        # The higher the rate, the further an engine computes ahead, paused or not.
        controls = {"rate": dice.choice((5, 20, 80, 100, 200) if play else (80, 100))}
        if dice.random() < 0.5:
            controls |= some_controls(dice, model)
        self._add(
            at, "open", by=driver, session=name, model=model.name, controls=controls, play=play,
            seed=dice.choice((0, dice.randrange(2**53))),
            prime=some_symbols(dice, model) if dice.random() < 0.4 else "",
        )  # fmt: skip
        self._go_on(name, at, driver, model, play, Temper.of(dice, play))

    def young(self, name: str, at: float) -> None:
        """A session below the length of a rollback window, which goes back behind a change.

        It rests, so that the engine computes ahead beyond the window's length; then comes a change
        that gives this up, and a rewind before the engine has computed as much again. At a lower
        rate it does not do so at all.
        """
        dice, model, driver = self._dice, self._some_model(), self._dice.choice(DRIVERS)
        count = dice.randint(3, 14)
        self._add(
            at, "open", by=driver, session=name, model=model.name, play=False, prime="",
            controls={"rate": dice.choice((100, 200))}, seed=dice.randrange(2**53),
        )  # fmt: skip
        self._add(at, "step", by=driver, session=name, count=count)
        at += dice.uniform(0.6, 1.2)
        if dice.random() < 0.7:
            changed = {
                "temperature": dice.choice((0.5, 0.7, 1.5)),
                "rate": dice.choice((5, 10, 100)),
            }
            self._add(at, "control", by=driver, session=name, quantum="now", controls=changed)
        else:
            self._add(
                at, "feed", by=driver, session=name, in_time=False,
                symbols=some_symbols(dice, model)[:3],
            )  # fmt: skip
        if dice.random() < 0.3:
            at += dice.uniform(0.0, 0.3)
        place = dice.choice(({"back": dice.randint(1, 9)}, {"from": dice.randint(1, 3)}))
        self._add(at, "rewind", by=driver, session=name, to=place)
        self._add(at, "step", by=driver, session=name, count=dice.choice((3, 20)))

    def _go_on(
        self, name: str, at: float, driver: str, model: Model, play: bool, temper: Temper
    ) -> None:
        dice, stepping, do = self._dice, not play, ""
        while True:
            rest = 0.0 if dice.random() < temper.haste else dice.uniform(*temper.rests)
            at += rest
            if at > self._seconds:
                return
            # Who has rested often changes something, and takes it back at once: then both reach
            # an engine that has come far ahead.
            if rest > RESTED and dice.random() < 0.6:
                do = dice.choice(("control", "feed"))
            elif do in ("control", "feed") and not rest and dice.random() < 0.7:
                do = "rewind"
            elif do == "rewind" and stepping and dice.random() < 0.5:
                do = "step"  # what was wrong would show at once
            else:
                do = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            if do == "step" and not stepping:
                if dice.random() < 0.7:
                    continue
                self._add(at, "pause", by=driver, session=name)
                stepping = True
            anybody = driver if dice.random() < 0.8 else dice.choice(LISTENERS)
            match do:
                case "control":
                    quantum = dice.choice(("now", "now", "beat", "bar"))
                    self._add(at, do, by=anybody, session=name, quantum=quantum,
                              controls=some_controls(dice, model))  # fmt: skip
                case "feed":
                    self._add(at, do, by=driver, session=name, in_time=dice.random() < 0.4,
                              symbols=some_symbols(dice, model))  # fmt: skip
                case "rewind":
                    self._add(at, do, by=anybody, session=name, to=some_place(dice))
                case "step":
                    count = dice.choice(temper.steps)
                    self._add(at, do, by=anybody, session=name, count=count)
                case "play" | "pause":
                    # Where it is paused, steps are worth more than a session that plays.
                    if do == "play" and stepping and dice.random() < 0.6:
                        continue
                    stepping = do == "pause"
                    self._add(at, do, by=anybody, session=name)
                case "reset":
                    self._add(at, do, by=anybody, session=name)
                case "fork" if self._forks < MOST_FORKS:
                    self._forks += 1
                    fork = f"f{self._forks}"
                    where = some_place(dice) if dice.random() < 0.5 else None
                    self._add(at, do, by=driver, session=name, fork=fork, place=where)
                    self._go_on(fork, at, driver, model, not stepping, temper)
                case "model":
                    model = self._some_model(model.domain if dice.random() < 0.6 else None)
                    controls = some_controls(dice, model) if dice.random() < 0.4 else {}
                    self._add(at, do, by=driver, session=name, model=model.name, controls=controls)
                case "attach":
                    after = dice.choice(("all", "live", "last", "last"))
                    listener = dice.choice(LISTENERS)
                    self._add(at, do, by=listener, session=name, after=after)
                case _:
                    pass

    def _some_model(self, domain: str | None = None) -> Model:
        there = [m for m in self._models if domain in (None, m.domain)]
        weights = [3 if m.domain in OWN_TIME else 2 for m in there]
        return self._dice.choices(there, weights)[0]

    def absences(self) -> None:
        """Clients go, in good order or not, and come back."""
        dice = self._dice
        for name in (*DRIVERS, *LISTENERS):
            if dice.random() < 0.4:
                self._add(
                    dice.uniform(0.3, 0.9) * self._seconds, "leave", by=name,
                    how=dice.choice(("close", "abort")), back=round(dice.uniform(0.0, 2.0), 3),
                )  # fmt: skip
            elif name in LISTENERS and dice.random() < 0.4:
                at = dice.uniform(0.2, 0.8) * self._seconds
                self._add(at, "deaf", by=name, seconds=round(dice.uniform(0.2, 2.0), 3))

    def engine(self) -> None:
        """The engine is killed, or held still: seldom for so long that the gateway ends it."""
        dice = self._dice
        if dice.random() < 0.5:  # late, since until it is back nothing is computed
            self._add(dice.uniform(0.5, 1.0) * self._seconds, "kill")
        if dice.random() < 0.6:
            seconds = 12.0 if dice.random() < 0.06 else dice.uniform(0.1, 2.0)
            at = dice.uniform(0.1, 1.0) * self._seconds
            self._add(at, "stop", seconds=round(seconds, 3))


def some_place(dice: random.Random) -> dict[str, Any]:
    """A place in a past: near its end, within what an engine can go back; near its beginning; or
    anywhere.
    """
    return dice.choice(
        (
            {"back": dice.choice((0, 1, 2, 3, 7))},
            {"back": dice.randrange(60)},
            {"from": dice.randrange(13)},
            {"share": round(dice.random(), 4)},
        )
    )


def place(where: dict[str, Any], position: int) -> int:
    """The position that a place is, in a past of so many symbols."""
    if "back" in where:
        return max(0, position - int(where["back"]))
    if "from" in where:
        return min(position, int(where["from"]))
    return int(position * float(where["share"]))


def some_controls(dice: random.Random, model: Model) -> dict[str, Any]:
    """One to three controls that mean something to a model.

    Blends are of weights that add up to 1 exactly, so that to name one again is to change nothing.
    """
    may: dict[str, Any] = {
        "temperature": dice.choice((0, 0.5, 1.0, 1.0, 1.5, 3)),
        "top_k": dice.choice((0, 0, 1, 3, 10)),
        "top_p": dice.choice((0.3, 0.9, 1)),
        "seed": dice.randrange(1000),
        "velocity": dice.randint(1, 127),
    }
    if dice.random() < 0.5:
        may["rate"] = dice.choice((5, 80, 100, 200))
    else:
        may["bpm"] = dice.choice((60, 111.1, 1500))
    if model.artists:
        weights = dice.choice(((1,), (1, 1), (1, 3), (1, 1, 2)))
        names = dice.sample(model.artists, len(weights))
        may["artist"] = dict(zip(names, weights, strict=True))
    if model.domain == "pianoroll":
        may["density"] = dice.choice((-2, 0, 0.5, 2))
        may["pitches"] = dice.choice(("D dorian", "C major", [48, 60, 64, 67, 72], None))
    # What the engine is told of comes first, and more often than the rest.
    weigh = [1 if name in ("velocity", "rate", "bpm") else 3 for name in may]
    return {name: may[name] for name in dice.choices(list(may), weigh, k=dice.randint(1, 3))}


def some_symbols(dice: random.Random, model: Model) -> str | list[Any]:
    """Something to feed: a string of characters, or a list, with one element for each symbol."""
    count = dice.choice((1, 1, 2, 3, 8, 20, 40))
    if dice.random() < 0.008:
        count = dice.choice((257, 600, 1100, 4096))
    if model.domain == "text":
        if model.primes and dice.random() < 0.3:
            return dice.choice(model.primes)
        return "".join(dice.choices("etaoin shrdlu,\nThWé\f", k=count))
    return dice.choices(ELEMENTS[model.domain], k=count)


ELEMENTS: dict[str, list[Any]] = {
    "pianoroll": [[], [60], [60, 64, 67], [48, 62, 65, 69], [72, 76]],
    "performance": [{"on": 60}, {"on": 67}, {"off": 60}, {"shift": 0.1}, {"velocity": 64}],
    "abc": ["A", "B", "c", "d", "e", "G", "F"],
}
