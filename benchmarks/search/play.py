"""One run: every engine stores the same rows, then they take turns, so that drift hits all."""

import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.search.contestant import Asked, Contestant, Failed, Remote
from benchmarks.search.engines import ENGINES
from benchmarks.search.truth import Nearest, recall
from benchmarks.search.workload import CROSS, FILTERED, MIXED, PLAIN, Question, Workload

GOOD = 0.97
"""Filters and adds are measured at the lowest effort with this recall, else at the highest."""

_CONSOLE = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Rules:
    """How long and how often is measured.

    Attributes:
        rounds: Turns of every engine at every question.
        seconds: Length of a turn.
        threads: CPUs that the engines may use, and threads that they are told to use.
    """

    rounds: int
    seconds: float
    threads: int


@dataclass(frozen=True, slots=True)
class Point:
    """What an engine does with a question at one effort; times are medians over rounds.

    Attributes:
        question: Its name.
        effort: The setting.
        recall: Share of the true ten nearest, or of all survivors if they are fewer.
        p50: Milliseconds.
        p99: Milliseconds.
        cpu: Milliseconds of processor, on all threads; unlike the others, it hardly depends on
            what else the machine is doing.
        rate: Queries a second, one at a time.
    """

    question: str
    effort: int
    recall: float
    p50: float
    p99: float
    cpu: float
    rate: float


@dataclass(slots=True)
class Result:
    """What was measured of one engine; rates are rows a second, memory and disk bytes a row.

    Attributes:
        engine: Its name.
        version: What is installed.
        kept: What is on disk when rows are acknowledged.
        effort: What its efforts set.
        ingest: Rate by "writers x batch".
        building: Seconds to bring the images under the index, after adding them.
        memory: Growth of the process by the images.
        disk: After closing, of all rows that were stored.
        adds: Rate of adds in batches of 100 beside searches, their p99 in ms without and with
            adds, and the median ratio of the two.
        points: Questions and efforts.
        failed: Why it has no further figures.
    """

    engine: str
    version: str
    kept: str
    effort: str
    ingest: dict[str, float] = field(default_factory=dict)
    building: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    adds: dict[str, float] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    failed: str = ""


def good_effort(result: Result) -> int:
    """Returns the lowest effort whose recall across modalities is good, else the highest.

    Of an engine that chooses its effort itself, it is that one, which is what its users get.
    """
    trait = ENGINES[result.engine].trait
    enough = (
        point.effort
        for point in result.points
        if point.question == CROSS and (point.recall >= GOOD or trait.adapts)
    )
    return min(enough, default=trait.efforts[-1])


class _Player:
    """An engine at play: its process and its result."""

    def __init__(self, name: str, folder: Path, workload: Workload, threads: int) -> None:
        trait = ENGINES[name].trait
        self.trait = trait
        self.result = Result(name, version(trait.distribution), trait.kept, trait.effort)
        self.remote = Remote(name, folder, workload, threads)
        self._answers: defaultdict[int, list[Asked]] = defaultdict(list)

    def store(self) -> None:
        """Stores all images."""
        loaded = self.remote.ask(Contestant.load, "image")
        self.result.ingest["1 x 1000"] = loaded.rows / loaded.adding
        self.result.building = loaded.building
        self.result.memory = loaded.memory / loaded.rows

    def store_more(self) -> None:
        """Stores all sounds."""
        self.remote.ask(Contestant.load, "audio")

    def answer(self, question: Question, seconds: float) -> None:
        """Answers one round of a question: at every effort, or, filtered or mixed, at a good one.

        Args:
            question: What is asked.
            seconds: Length of a turn.
        """
        for effort in self.trait.efforts if question in PLAIN else (good_effort(self.result),):
            answers = self.remote.ask(Contestant.ask, question, effort, seconds)
            self._answers[effort].append(answers)

    def conclude(self, question: Question, true: Nearest) -> None:
        """Turns the answers of all rounds into points."""
        for effort, rounds in self._answers.items():
            self.result.points.append(_point(question.name, effort, rounds, true))
        self._answers.clear()

    def answer_under_adds(self, rules: Rules) -> None:
        """Answers while rows are added."""
        effort = good_effort(self.result)
        rounds = [
            self.remote.ask(Contestant.ask_under_adds, PLAIN[0], effort, rules.seconds, 100)
            for _ in range(rules.rounds)
        ]
        ratios = [np.percentile(one.busy, 99) / np.percentile(one.idle, 99) for one in rounds]
        self.result.adds = {
            "rate": statistics.median(one.rate for one in rounds),
            "p99 idle": _milliseconds([one.idle for one in rounds], 99),
            "p99 busy": _milliseconds([one.busy for one in rounds], 99),
            "ratio": float(statistics.median(ratios)),
        }

    def ingest(self, seconds: float) -> None:
        """Stores further rows, in smaller batches and by many writers."""
        for writers, batch in ((1, 100), (16, 1)):
            rate = self.remote.ask(Contestant.ingest, batch, writers, seconds)
            self.result.ingest[f"{writers} x {batch}"] = rate

    def close(self) -> None:
        """Closes the engine; what it left on disk is counted."""
        self.result.disk = self.remote.ask(Contestant.close)


def play(names: Iterable[str], workload: Workload, rules: Rules, folder: Path) -> list[Result]:
    """Measures the engines and returns their results in the same order."""
    players = []
    for name in names:
        place = folder / name.replace(" ", "-").lower()
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        players.append(_Player(name, place, workload, rules.threads))
    everyone = _Turns(players)
    filtering = _Turns([player for player in players if player.trait.filters])
    everyone.take("stores images", _Player.store)
    everyone.answer(PLAIN, workload, rules)
    filtering.answer(FILTERED, workload, rules)
    everyone.take("stores sounds", _Player.store_more)
    filtering.answer(MIXED, workload, rules)
    everyone.take("is asked while it stores", partial(_Player.answer_under_adds, rules=rules))
    everyone.take("ingests", partial(_Player.ingest, seconds=2 * rules.seconds))
    everyone.take("closes", _Player.close)
    for player in players:
        player.remote.end()
    return [player.result for player in players]


class _Turns:
    """Players who take turns; one that fails is left out from then on."""

    def __init__(self, players: Sequence[_Player]) -> None:
        self._players = players

    def take(self, what: str, turn: Callable[[_Player], None]) -> None:
        """Lets everyone who has not failed have a turn."""
        for player in self._players:
            if player.result.failed:
                continue
            _CONSOLE.print(f"{player.result.engine} {what}", style="dim")
            try:
                turn(player)
            except Failed as error:
                player.result.failed = str(error)
                _CONSOLE.print(str(error), style="red")

    def answer(self, questions: Iterable[Question], workload: Workload, rules: Rules) -> None:
        """Lets everyone answer the questions, round by round."""
        for question in questions:
            true = workload.truth(question)
            turn = partial(_Player.answer, question=question, seconds=rules.seconds)
            for _ in range(rules.rounds):
                self.take(f"is asked {question.name}", turn)
            for player in self._players:
                player.conclude(question, true)


def _point(question: str, effort: int, rounds: Sequence[Asked], true: Nearest) -> Point:
    def median(percent: float) -> float:
        return _milliseconds([asked.seconds for asked in rounds], percent)

    rate = statistics.median(len(asked.seconds) / sum(asked.seconds) for asked in rounds)
    cpu = 1e3 * statistics.median(asked.cpu for asked in rounds)
    found = recall(rounds[0].found, true)
    return Point(question, effort, found, median(50), median(99), cpu, rate)


def _milliseconds(rounds: Sequence[Sequence[float]], percent: float) -> float:
    """Returns the median over rounds of a percentile of seconds, in milliseconds."""
    return statistics.median(1e3 * float(np.percentile(one, percent)) for one in rounds)
