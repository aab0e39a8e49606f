"""Runs rules over the kernels of a state and makes findings of what they say."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.errors import SassayError
from sassay.isa import ptx
from sassay.lint.findings import Said, findings, say
from sassay.lint.limits import TooLargeError
from sassay.lint.sass import SassView
from sassay.lint.subject import Subject
from sassay.model.finding import Judged, Outcome, RuleOutcome
from sassay.model.state import Diagnostic, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sassay.isa.ptx.syntax import Module
    from sassay.isa.sass import Disassembler
    from sassay.lint.profile import Active, Profile
    from sassay.lint.rule import Hit
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel

_MODULES = 8
"""Modules kept at hand; one of compiled C++ holds thousands of kernels."""


@dataclass
class _Tally:
    """What one rule met."""

    judged: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)


class Linter:
    """Reads kernels and asks the rules.

    Args:
        store: Where code is.
        disassembler: Reads SASS.
        profile: Which rules, at which levels, with which settings.
    """

    def __init__(self, store: CodeStore, disassembler: Disassembler, profile: Profile) -> None:
        self._store = store
        self._disassembler = disassembler
        self._profile = profile
        self._modules: dict[str, Module] = {}
        self._sass: dict[str, SassView | None] = {}
        self._said: list[Said] = []
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
        self._diagnostics: dict[Diagnostic, None] = {}
        self._only_new = False

    def run(
        self,
        kernels: Sequence[Kernel],
        before: Mapping[str, Kernel | None] | None = None,
        *,
        only_new: bool = False,
        on_kernel: Callable[[int], None] | None = None,
    ) -> Judged:
        """Judge kernels.

        Args:
            kernels: Which.
            before: By kernel id the kernel that each was before, None for a new one; rules that
                compare need it, and leave alone what is not in it.
            only_new: What a rule says of the kernel before does not count again.
            on_kernel: Is told how many are done.
        """
        active = self._profile.active(compared=before is not None, only_new=only_new)
        self._only_new = only_new
        self._read_sass(kernels, before, active)
        # Kernels of one module one after the other, so that each module is read once.
        for number, kernel in enumerate(sorted(kernels, key=lambda each: each.code.ptx or "")):
            self._kernel(kernel, before, active)
            if on_kernel is not None:
                on_kernel(number + 1)
        self._said.sort(key=lambda each: (each.kernel.id, each.place.offset or 0))
        return Judged(
            findings(self._said, active),
            tuple(self._outcome(each) for each in active),
            tuple(sorted(self._diagnostics)),
        )

    def _kernel(
        self, kernel: Kernel, before: Mapping[str, Kernel | None] | None, active: Sequence[Active]
    ) -> None:
        subject = self._subject(kernel)
        old = before.get(kernel.id) if before is not None else None
        if old is not None:
            subject.before = self._subject(old)
        for each in active:
            if each.rule.compares and kernel.id not in (before or {}):
                self._tallies[each.rule.id].judged += 1
                continue
            hits = self._ask(each, subject)
            if hits is None:
                continue
            self._tallies[each.rule.id].judged += 1
            if self._only_new and subject.before is not None and not each.rule.compares and hits:
                said = self._ask(each, subject.before, quiet=True) or ()
                known = Counter(hit.message for hit in said)
                hits = [hit for hit in hits if not _take(known, hit.message)]
            self._said += [say(each, subject, hit) for hit in hits]

    def _ask(self, each: Active, subject: Subject, *, quiet: bool = False) -> list[Hit] | None:
        """What a rule says of a kernel; None where it cannot judge."""
        rule, tally = each.rule, self._tallies[each.rule.id]
        held = {
            "ptx": subject.function is not None,
            "sass": subject.sass is not None,
        }
        if not any(held[layer] for layer in rule.layers):
            if not quiet:
                tally.missing[" and no ".join(layer.upper() for layer in rule.layers)] += 1
            return None
        try:
            return list(rule.check(subject, each.options))
        except TooLargeError as error:
            why = f"too large to follow: {error}"
        except SassayError as error:
            why = str(error)
        except RecursionError:
            why = "nests too deeply to follow"
        if not quiet:
            tally.unread[why] += 1
            self._diagnostics[
                Diagnostic(
                    Level.ERROR,
                    subject.kernel.name,
                    f"lint: {why}",
                    arch=subject.kernel.arch,
                    layer="ptx",
                    family=subject.kernel.family,
                )
            ] = None
        return None

    def _subject(self, kernel: Kernel) -> Subject:
        return Subject(kernel, self._function(kernel), self._sass.get(kernel.code.sass or ""))

    def _function(self, kernel: Kernel) -> ptx.PtxFunction | None:
        digest = kernel.code.ptx
        if digest is None:
            return None
        module = self._modules.get(digest)
        if module is None:
            try:
                module = ptx.read_module(self._store.ptx(digest), artifact=kernel.name)
            except SassayError as error:
                self._diagnostics[Diagnostic(Level.ERROR, kernel.name, str(error))] = None
                return None
            if len(self._modules) >= _MODULES:
                self._modules.pop(next(iter(self._modules)))
            self._modules[digest] = module
        return module.entry(kernel.symbol)

    def _read_sass(
        self,
        kernels: Sequence[Kernel],
        before: Mapping[str, Kernel | None] | None,
        active: Sequence[Active],
    ) -> None:
        """Decode what has no PTX and could be judged by its SASS."""
        if not any("sass" in each.rule.layers for each in active):
            return
        every = [*kernels, *(each for each in (before or {}).values() if each is not None)]
        wanted = {
            kernel.code.sass: kernel
            for kernel in every
            if kernel.code.sass is not None and kernel.code.ptx is None
            and kernel.instructions.sass is not None
        }  # fmt: skip
        codes = {digest: self._store.sass(digest) for digest in wanted}
        decoded = self._disassembler.opcodes([(code.arch, code.code) for code in codes.values()])
        for (digest, code), found in zip(codes.items(), decoded, strict=True):
            census = wanted[digest].instructions.sass
            if found is not None and census is not None:
                self._sass[digest] = SassView(code, found, census)

    def _outcome(self, each: Active) -> RuleOutcome:
        rule, tally = each.rule, self._tallies[each.rule.id]
        effect = each.level.effect
        why = [
            f"{_count(n, 'kernel holds', 'kernels hold')} no {what}"
            for what, n in tally.missing.items()
        ]
        why += [f"{_count(n, 'kernel', 'kernels')}: {what}" for what, n in tally.unread.items()]
        families = {each.kernel.family for each in self._said if each.rule == rule.id}
        fired = f"fired on {_count(len(families), 'family', 'families')}"
        fired += f" among {_count(tally.judged, 'kernel', 'kernels')}"
        if why:
            words = "; ".join([*([fired] if families else []), *why[:3]])
            return RuleOutcome(rule.id, Outcome.UNKNOWN, words, effect)
        if families:
            return RuleOutcome(rule.id, Outcome.FIRED, fired, effect)
        quiet = f"looked at {_count(tally.judged, 'kernel', 'kernels')}, nothing to say"
        return RuleOutcome(rule.id, Outcome.QUIET, quiet, effect)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _take(known: Counter[str], message: str) -> bool:
    """Whether one more of that message was there before; it counts once."""
    if known[message] <= 0:
        return False
    known[message] -= 1
    return True
