"""nvdisasm in raw mode: from instruction words to the line that it prints for each.

Raw mode (`nvdisasm --binary SM90a FILE`) reads a file of bare words. One word that it refuses
makes the whole call print nothing: it exits with 1 and names most of the bad addresses on standard
error, as in `Unrecognized operation for functional unit 'uC' at address 0x00000040`, followed by
`Illegal instruction found`; for some words, all zeros among them, it prints only that second
line. A batch with such a word is run again with a word that is known to be refused after each real
one, so that a line without an address falls between two addresses. Then the bad words are replaced
and the batch runs once more. A few words pass that check and are refused when they are printed:
the call says nothing about them and leaves their lines out.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sassay.errors import ToolError
from sassay.isa.sass.words import WORD_BYTES, Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.isa.sass.tools import Tool

BASE = 0x5A5A5A0000000000
"""Address given to the first word: operands near it can only be targets relative to the word."""
TARGET_MARK = "\x01"
"""Stands before a target's signed distance from its instruction, in bytes (`BRA \\x01+0x40`)."""

BATCH_WORDS = 32_768
SPLIT_WORDS = 6_000
"""Below this a second process costs more in start-up (0.3 s) than it saves."""
MAX_RUNS = 200
"""Runs that one batch may take until it is given up: bisecting is the last resort."""

_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})
"""Signals that a word may cause; any other one comes from outside and ends the call."""

_NOP: tuple[int, int] = (0x7918, 0x000FC00000000000)
_REFUSED: tuple[int, int] = (2**64 - 1, 2**64 - 1)
_ADDRESS = re.compile(rb"at address 0x([0-9a-fA-F]+)")
_TARGET = re.compile(r"0x5a5a(?:5a|59)[0-9a-f]{10}\b")
_TARGET_HINT = b"0x5"
_FAR_TARGET = re.compile(r"0x5[0-9a-f]{15}\b")
_LINE = b"        /*5a5a5a"
_DIGITS = slice(len(b"        /*"), len(b"        /*5a5a5a0000000000"))
_PREFIX = len(b"        /*5a5a5a0000000000*/")


@dataclass(frozen=True)
class _Outcome:
    returncode: int
    stdout: bytes
    stderr: bytes


@dataclass
class _Job:
    """One nvdisasm that runs; standard output goes to a file, so that no pipe can fill."""

    index: int
    process: subprocess.Popen[bytes]
    stem: Path
    deadline: float


@dataclass
class RawDisassembler:
    """Runs nvdisasm over batches of words.

    Attributes:
        tool: The program.
        option: What `--binary` gets, such as `SM90a`.
        workers: Processes at a time.
        base_seconds: Time that any call may take; a batch gets one second more per 1,000 words.
        made_up: No compiler wrote these words: targets can be anywhere in 50 bits, and nearly every
            batch has words that are refused, so which ones is asked first.
        batch_words: Most words of one call.
    """

    tool: Tool
    option: str
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, 8))
    base_seconds: float = 60.0
    made_up: bool = False
    batch_words: int = BATCH_WORDS
    _alive: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _answered: bool = False

    def stop(self) -> None:
        """End every nvdisasm of this object, whichever thread waits for it, and start no more."""
        self._stopped.set()
        for process in tuple(self._alive):
            process.kill()

    def texts(self, words: Words) -> list[str | None]:
        """What nvdisasm prints for each word, without address and semicolon; None: refused.

        Targets relative to the instruction are distances behind a `TARGET_MARK`.

        Raises:
            ToolError: if nvdisasm cannot be run, hangs, is killed, or prints something else.
        """
        batches = self._split(words)
        results: list[list[str | None]] = [[] for _ in batches]
        failed: list[tuple[int, bytes]] = []
        with tempfile.TemporaryDirectory(prefix="sassay-") as folder:
            if self.made_up:
                return [
                    text for batch in batches for text in self._repair(batch, b"", Path(folder))
                ]
            for index, outcome in self._run(batches, Path(folder)):
                lines = self._lines(outcome, len(batches[index]))
                if lines is None:
                    failed.append((index, outcome.stderr))
                else:
                    results[index] = lines
            for index, stderr in failed:
                results[index] = self._repair(batches[index], stderr, Path(folder))
        return [text for batch in results for text in batch]

    def _split(self, words: Words) -> list[Words]:
        count = len(words)
        if count <= SPLIT_WORDS or self.workers < 2:
            size = self.batch_words
        else:
            rounds = -(-count // (self.batch_words * self.workers))
            size = -(-count // (rounds * self.workers))
        return [words[start : start + size] for start in range(0, count, size)]

    def _repair(self, words: Words, stderr: bytes, folder: Path) -> list[str | None]:
        """Read a batch that holds words which nvdisasm refuses, and said so on `stderr`."""
        self._check_answers(folder)
        bad = _named(stderr, len(words))
        if bad is None:
            marked = np.empty((len(words) * 2, 2), dtype="<u8")
            marked[0::2] = words
            marked[1::2] = _REFUSED
            bad = _refused(self._run_one(marked, folder).stderr, len(words))
        budget = [MAX_RUNS]
        if bad is None:
            return self._bisect(words, folder, budget)
        replaced = words.copy()
        replaced[bad] = _NOP
        lines = self._lines(self._run_one(replaced, folder), len(words))
        if lines is None:
            lines = self._bisect(replaced, folder, budget)
        for index in np.flatnonzero(bad):
            lines[index] = None
        return lines

    def _check_answers(self, folder: Path) -> None:
        """Tell a refused word from a program that answers nothing at all."""
        if self._answered:
            return
        outcome = self._run_one(np.array([_NOP], dtype="<u8"), folder)
        if self._lines(outcome, 1) is None:
            raise self._failure(outcome)

    def _bisect(self, words: Words, folder: Path, budget: list[int]) -> list[str | None]:
        if budget[0] <= 0:
            raise ToolError(
                f"nvdisasm {self.tool.release} refuses words of {self.option} without saying which",
                artifact=self.tool.path,
            )
        budget[0] -= 1
        lines = self._lines(self._run_one(words, folder), len(words))
        if lines is not None:
            return lines
        if len(words) == 1:
            return [None]
        middle = len(words) // 2
        return [
            *self._bisect(words[:middle], folder, budget),
            *self._bisect(words[middle:], folder, budget),
        ]

    def _run_one(self, words: Words, folder: Path) -> _Outcome:
        return next(self._run([words], folder))[1]

    def _run(self, batches: Sequence[Words], folder: Path) -> Iterator[tuple[int, _Outcome]]:
        """Run every batch, `workers` at a time, in order; kill what runs if anything stops us."""
        running: list[_Job] = []
        waiting = list(enumerate(batches))[::-1]
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    running.append(self._start(*waiting.pop(), folder))
                job = running[0]
                outcome = self._finish(job)
                running.pop(0)
                self._alive.discard(job.process)
                yield job.index, outcome
        finally:
            for job in running:
                job.process.kill()
                job.process.wait()
                self._alive.discard(job.process)

    def _start(self, index: int, words: Words, folder: Path) -> _Job:
        stem = folder / str(index)
        with stem.with_suffix(".bin").open("wb") as file:
            file.write(words.astype("<u8", copy=False).tobytes())
            file.write(np.array(_NOP, dtype="<u8").tobytes())
        command = [
            self.tool.path,
            "--binary",
            self.option,
            "--base-address",
            hex(BASE),
            str(stem.with_suffix(".bin")),
        ]
        if self._stopped.is_set():
            raise ToolError("nvdisasm was interrupted", artifact=self.tool.path)
        try:
            with (
                stem.with_suffix(".out").open("wb") as out,
                stem.with_suffix(".err").open("wb") as err,
            ):
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder
                )
        except OSError as error:
            raise ToolError(
                f"nvdisasm cannot be run: {error.strerror}", artifact=self.tool.path
            ) from error
        self._alive.add(process)
        if self._stopped.is_set():  # while it was being started
            process.kill()
        seconds = self.base_seconds + len(words) / 1000
        return _Job(index, process, stem, time.monotonic() + seconds)

    def _finish(self, job: _Job) -> _Outcome:
        try:
            code = job.process.wait(max(0.0, job.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ToolError(
                "nvdisasm did not answer in time and was killed", artifact=self.tool.path
            ) from None
        outcome = _Outcome(
            code,
            job.stem.with_suffix(".out").read_bytes(),
            job.stem.with_suffix(".err").read_bytes(),
        )
        if code < 0 and -code not in _CRASHES:
            raise self._failure(outcome)
        return outcome

    def _lines(self, outcome: _Outcome, count: int) -> list[str | None] | None:
        lines = _lines(outcome, count, _FAR_TARGET if self.made_up else _TARGET)
        self._answered |= lines is not None
        return lines

    def _failure(self, outcome: _Outcome) -> ToolError:
        said = outcome.stderr.decode("utf-8", "replace").strip().splitlines()
        ended = (
            f"was killed by signal {-outcome.returncode}"
            if outcome.returncode < 0
            else f"failed with status {outcome.returncode}"
        )
        return ToolError(
            f"nvdisasm {self.tool.release} {ended} on {self.option}",
            artifact=self.tool.path,
            hint=said[0] if said else None,
        )


def _named(stderr: bytes, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Which words of a batch are refused; None if not each of the messages names an address."""
    bad = np.zeros(count, dtype=bool)
    lines = stderr.splitlines()
    for named, follows in zip(lines[::2], lines[1::2], strict=False):
        match = _ADDRESS.search(named)
        if match is None or _ADDRESS.search(follows):
            return None
        # Addresses are printed in 32 bits, so those behind 4 GiB of words would wrap.
        place = (int(match[1], 16) & 0xFFFFFFFF) // WORD_BYTES
        if place >= count:
            return None
        bad[place] = True
    return bad if bad.any() and len(lines) % 2 == 0 else None


def _refused(stderr: bytes, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Which words of a marked batch are refused; None if the messages do not tell.

    Words stand at even places and marks at odd ones. A message without an address belongs to the
    word behind the last mark that was named, unless it completes a message that names one.
    """
    bad = np.zeros(count, dtype=bool)
    marks = 0
    completes = False
    for line in stderr.splitlines():
        match = _ADDRESS.search(line)
        if match is not None:
            place, odd = divmod((int(match[1], 16) & 0xFFFFFFFF) // WORD_BYTES, 2)
            if place >= count:
                return None
            if odd:
                if place != marks:
                    return None
                marks += 1
            else:
                bad[place] = True
            completes = True
        else:
            if not completes:
                if marks >= count:
                    return None
                bad[marks] = True
            completes = False
    return bad if marks == count else None


def _lines(outcome: _Outcome, count: int, target: re.Pattern[str]) -> list[str | None] | None:
    """The printed instructions, None for each that is left out; None if the call printed nothing.

    The line of the NOP behind the words shows that what is printed was not cut.
    """
    if outcome.returncode not in {0, 1}:
        return None
    texts: list[str | None] = [None] * (count + 1)
    for line in outcome.stdout.split(b"\n"):
        if not line.startswith(_LINE):
            continue
        place, rest = divmod(int(line[_DIGITS], 16) - BASE, WORD_BYTES)
        if rest or not 0 <= place <= count:
            return None
        body = line[_PREFIX:].strip(b" ;\r").decode("ascii", "replace")
        if _TARGET_HINT in line[_PREFIX:]:
            body = _relative(body, BASE + place * WORD_BYTES, target)
        texts[place] = body
    return None if texts.pop() is None else texts


def _relative(body: str, address: int, target: re.Pattern[str]) -> str:
    def distance(match: re.Match[str]) -> str:
        delta = int(match[0], 16) - address
        return f"{TARGET_MARK}{'-' if delta < 0 else '+'}{abs(delta):#x}"

    return target.sub(distance, body)
