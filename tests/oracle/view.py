"""What one client sees of one session, message by message. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
_NOT_SHOWN = frozenset({"type", "session", "n", "due", "epoch", "id"})


def shown(symbol: Message) -> Message:
    """What a `symbol` message says of the symbol, wherever and whenever it is told."""
    return {name: value for name, value in symbol.items() if name not in _NOT_SHOWN}


@dataclass
class View:
    """A client's view of a session, and whether it is as the protocol promises.

    Attributes:
        epoch: the past that the client has been told of last.
        next: the number of the symbol that has to come next; none before it views the session.
        there: whether the client views the session; one that comes back may be refused.
        seen: what each symbol was, by epoch and number, each time that it came.
        problems: where a promise was broken, in words.
    """

    epoch: int = 0
    next: int | None = None
    there: bool = False
    seen: dict[tuple[int, int], list[Message]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def hear(self, message: Message, answers: Message | None = None) -> None:
        """The next message about the session.

        Args:
            answers: the request that it answers, if it is one of this client's.
        """
        match message["type"]:
            case "opened":
                self.there = True
                self.epoch, self.next = message["epoch"], message["position"]
                if answers and answers["type"] == "attach" and answers.get("after") is not None:
                    self.next = answers["after"] + 1
            case "reset" | "rewound" if self.next is not None:
                self.epoch, self.next = message["epoch"], message["position"]
            case "gap":
                if message["after"] + 1 != self.next:
                    self._complain(f"a gap after {message['after']}, where {self.next} was next")
                self.next = message["before"]
            case "symbol":
                n, epoch = message["n"], message.get("epoch", 0)
                if n != self.next:
                    self._complain(f"symbol {n} of epoch {epoch} came, where {self.next} was next")
                self.next = n + 1
                self.seen.setdefault((epoch, n), []).append(shown(message))

    def _complain(self, problem: str) -> None:
        self.problems.append(problem)
