"""A play from its start to its end, or to the first thing that is not right."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field

from rootplex.formats.errno import Errno
from rootplex.fuzz.ground import ground_of
from rootplex.fuzz.invariants import Moment, broken
from rootplex.fuzz.stage import Answer, Stage
from rootplex.fuzz.state import State, differing, state_of
from rootplex.fuzz.steps import Access, Guest, Hypercall, Play, Port, Register, Step


class Fault(Struct, frozen=True):
    """What was not right: `exception`, or an invariant's name; a sentence; and how many steps led there."""

    name: str
    text: str
    steps: int


class Played(Struct):
    """How it went. `seen` counts (what was asked, what came of it)."""

    fault: Fault | None = None
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    accesses: int = 0


def played(play: Play, *, replay: bool = True) -> Played:
    """Take all steps, looking at every invariant after each; with `replay` do it all again and compare."""
    result = Played()
    answers: list[Answer] = []
    try:
        stage = Stage(ground_of(play.board, play.switches), play.switches)
        state = state_of(stage)
        for number, step in enumerate(play.steps, 1):
            if stage.is_over:
                break
            answer = stage.do(step)
            answers.append(answer)
            after = state_of(stage)
            result.seen[_asked(step), _came(step, answer)] += 1
            result.accesses += isinstance(step, Access | Port)
            if not stage.is_over:
                for name, text in broken(Moment(stage, step, answer, state, after)):
                    result.fault = Fault(name, text, number)
                    return result
            state = after
        if replay and (different := _different(play, answers, state)) is not None:
            result.fault = Fault("replay", different, len(play.steps))
    except Exception as error:
        result.fault = Fault("exception", where(error), len(answers) + 1)
    return result


def _different(play: Play, answers: Sequence[Answer], state: State) -> str | None:
    """What a second run of the same steps does otherwise."""
    again = Stage(ground_of(play.board, play.switches), play.switches)
    for number, (step, answer) in enumerate(zip(play.steps, answers, strict=False), 1):
        second = again.do(step)
        if second != answer:
            return f"step {number} was answered {answer}, and {second} the second time"
    parts = differing(state, state_of(again))
    return f"a second run ends with other {', '.join(sorted(parts))}" if parts else None


def where(error: Exception) -> str:
    """An exception with the file and line of ours that it came from."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename.rpartition('/')[2]}:{last.lineno})"


def _asked(step: Step) -> str:
    match step:
        case Hypercall(op, _, caller):
            return op if caller == 0 else f"{op} by a guest"
        case Register():
            return "pci_host_bridge_add"
        case Guest():
            return "a new domain"
        case Access(_, size, value, domain):
            return f"{'Dom0' if domain == 0 else 'a guest'} {'reads' if value is None else 'writes'} {size}"
        case Port(_, size, value):
            return f"port {'read' if value is None else 'write'} {size}"


def _came(step: Step, answer: Answer) -> str:
    """The answer as it is counted: an errno's name, the kind of Xen's end, or that it was done."""
    if isinstance(answer, tuple):
        return "devices"
    if isinstance(answer, str):
        return answer
    if not isinstance(step, Hypercall | Register):
        return (
            "all ones"
            if isinstance(step, Access | Port) and step.value is None and _ones(step, answer)
            else "done"
        )
    return "done" if answer >= 0 else next((each.name for each in Errno if each == -answer), str(answer))


def _ones(step: Access | Port, answer: int) -> bool:
    return answer == (1 << 8 * step.size) - 1
