"""One run: every engine stores the same rows, then they take turns, so that drift hits all."""

import math
import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.search.clock import Clock
from benchmarks.search.contestant import Asked, Contestant, UnderAdds
from benchmarks.search.engines import ENGINES
from benchmarks.search.engines.base import NOTHING, SYNCED, WRITTEN
from benchmarks.search.figures import Point, Result, good_effort
from benchmarks.search.remote import Failed, Remote
from benchmarks.search.truth import Nearest, recall
from benchmarks.search.workload import FILTERED, MIXED, PLAIN, Question, Workload

_STORED, _ASKED, _ASKED_MORE = 0.65, 0.6, 0.85
"""Shares of the time: by when images are stored, and after which no further round is begun."""

_LONG = 10.0
"""Seconds after which an engine is asked beside its adds no further round."""

_CLOSING = 20.0
"""Seconds that an engine has to close, after the time of all."""

_CONSOLE = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Rules:
    """How long and how often is measured.

    Attributes:
        rounds: Turns of every engine at every question.
        seconds: Length of a turn.
        threads: CPUs that the engines may use, and threads that they are told to use.
        minutes: That all of it may take; where they are short, there are fewer rounds.
    """

    rounds: int
    seconds: float
    threads: int
    minutes: float = math.inf


class _Player:
    """An engine at play: its process and its result."""

    def __init__(self, name: str, folder: Path, workload: Workload, threads: int) -> None:
        trait = ENGINES[name].trait
        self.trait = trait
        self.result = Result(name, version(trait.distribution), trait.kept, trait.effort)
        self.remote = Remote(name, folder, workload, threads)
        self._answers: defaultdict[tuple[str, int], list[Asked]] = defaultdict(list)

    def store(self) -> None:
        """Stores all images."""
        loaded = self.remote.ask(Contestant.load, "image")
        stored = loaded.adding + loaded.syncing
        self.result.ingest["1 x 1000"] = rate = loaded.rows / loaded.adding
        if self.trait.kept != NOTHING:
            on_disk = loaded.rows / stored
            self.result.synced["1 x 1000"] = rate if self.trait.kept == SYNCED else on_disk
        self.result.indexed = loaded.rows / (stored + loaded.building)
        self.result.building = loaded.building
        self.result.memory = loaded.memory / loaded.rows

    def store_more(self) -> None:
        """Stores all sounds."""
        self.remote.ask(Contestant.load, "audio")

    def answer(self, question: Question, true: Nearest, seconds: float) -> None:
        """Answers one round of a question: at every effort, or, filtered or mixed, at a good one.

        Args:
            question: What is asked.
            true: What should be found.
            seconds: Length of a turn.
        """
        for effort in self.trait.efforts if question in PLAIN else (good_effort(self.result),):
            rounds = self._answers[question.name, effort]
            rounds.append(self.remote.ask(Contestant.ask, question, effort, seconds))
            point, known = _point(question.name, effort, rounds, true), self.result.points
            known[:] = [it for it in known if (it.question, it.effort) != (question.name, effort)]
            known.append(point)

    def answer_under_adds(self, rules: Rules) -> None:
        """Answers while rows are added; who takes long, in one round."""
        effort, clock = good_effort(self.result), Clock()
        rounds: list[UnderAdds] = []
        while not rounds or (len(rounds) < rules.rounds and clock.gone() < _LONG):
            rounds.append(
                self.remote.ask(Contestant.ask_under_adds, PLAIN[0], effort, rules.seconds, 100)
            )
        ratios = [np.percentile(one.busy, 99) / np.percentile(one.idle, 99) for one in rounds]
        self.result.adds = {
            "rate": statistics.median(one.rate for one in rounds),
            "p99 idle": _milliseconds([one.idle for one in rounds], 99),
            "p99 busy": _milliseconds([one.busy for one in rounds], 99),
            "ratio": float(statistics.median(ratios)),
        }

    def ingest(self, seconds: float) -> None:
        """Stores further rows, in smaller batches and by many writers."""
        ask, known = self.remote.ask, self.result
        for writers, batch in ((1, 100), (16, 1)):
            name = f"{writers} x {batch}"
            known.ingest[name] = ask(Contestant.ingest, batch, writers, seconds)
            if self.trait.kept == SYNCED:
                known.synced[name] = known.ingest[name]
            if self.trait.kept == WRITTEN:
                rate = ask(Contestant.ingest, batch, writers, seconds, synced=True)
                known.synced[name] = rate

    def close(self) -> None:
        """Closes the engine, however it fared; what it left on disk is counted if it can be."""
        self.remote.patience = _CLOSING
        with suppress(Failed):
            self.result.disk = self.remote.ask(Contestant.close)
        self.remote.end()


def play(
    names: Iterable[str],
    workload: Workload,
    rules: Rules,
    folder: Path,
    keep: Callable[[list[Result]], None] = lambda results: None,
) -> list[Result]:
    """Measures the engines and returns their results in the same order.

    Whatever happens, it ends when the minutes of the rules are over: first of all with fewer
    rounds, then with engines that have no further figures.

    Args:
        names: Of the engines.
        workload: What they store and are asked.
        rules: How long and how often is measured.
        folder: Where each has a folder of its own.
        keep: Is given what is known after every turn, so that a run that is cut off is not lost.
    """
    clock, players = Clock(rules.minutes), []
    for name in names:
        place = folder / name.replace(" ", "-").lower()
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        players.append(_Player(name, place, workload, rules.threads))
    results = [player.result for player in players]
    turns = _Turns(players, clock, lambda: keep(results))
    turns.take("stores images", _Player.store, share=_STORED)
    turns.answer((*PLAIN, *FILTERED), workload, rules, _ASKED)
    turns.take("stores sounds", _Player.store_more)
    turns.answer(MIXED, workload, rules, _ASKED_MORE)
    turns.take("is asked while it stores", partial(_Player.answer_under_adds, rules=rules))
    turns.take("ingests", partial(_Player.ingest, seconds=2 * rules.seconds))
    for player in players:
        player.close()
    keep(results)
    return results


class _Turns:
    """Players who take turns; one that fails is left out from then on.

    Args:
        players: In the order of their turns.
        clock: How much time there is.
        keep: Called after every turn.
    """

    def __init__(self, players: Sequence[_Player], clock: Clock, keep: Callable[[], None]) -> None:
        self._players = players
        self._clock = clock
        self._keep = keep

    def take(
        self,
        what: str,
        turn: Callable[[_Player], None],
        *,
        filtering: bool = False,
        share: float = 1.0,
    ) -> None:
        """Lets everyone who has not failed have a turn.

        Args:
            what: They do, in words.
            turn: Is taken.
            filtering: Whether it is a turn for engines that filter alone.
            share: Of the time that must not be over after it.
        """
        for player in self._players:
            if player.result.failed or (filtering and not player.trait.filters):
                continue
            _CONSOLE.print(
                f"{self._clock.gone() / 60:5.1f} min  {player.result.engine} {what}", style="dim"
            )
            try:
                self._limit(player, what, share)
                turn(player)
            except Failed as error:
                player.result.failed = str(error)
                _CONSOLE.print(str(error), style="red")
            self._keep()

    def answer(
        self, questions: Sequence[Question], workload: Workload, rules: Rules, share: float
    ) -> None:
        """Lets everyone answer the questions: one round, and more while there is time.

        Args:
            questions: What is asked in every round.
            workload: What they are about.
            rules: How many rounds there are at most, and how long a turn is.
            share: Of the time after which no round is begun.
        """
        longest = 0.0
        turns = {
            question: partial(
                _Player.answer,
                question=question,
                true=workload.truth(question),
                seconds=rules.seconds,
            )
            for question in questions
        }
        for number in range(rules.rounds):
            began = self._clock.gone()
            if number and self._clock.left(share) < longest:
                return
            for question, turn in turns.items():
                asked = f"is asked {question.name}, round {number + 1}"
                self.take(asked, turn, filtering=question not in PLAIN)
            longest = max(longest, self._clock.gone() - began)

    def _limit(self, player: _Player, what: str, share: float) -> None:
        left = self._clock.left(share)
        if left <= 0:
            raise Failed(f"the time was over before {player.result.engine} {what}")
        player.remote.patience = left


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
