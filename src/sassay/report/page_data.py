"""What the HTML report's script works on: families, changes and kernels as plain data.

Every text passes `names.plain` on its way in, so that the page shows control characters and
direction overrides as what they are. Names that recur (categories, opcodes, files) are numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sassay.isa.categories import CATEGORIES
from sassay.model.change import KernelStatus
from sassay.model.layers import Layer
from sassay.report import select
from sassay.report.entries import entries, ranked
from sassay.report.names import plain
from sassay.report.numbers import arrows, scalar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.model.artifact import Scalar, SourceLocation
    from sassay.model.change import Change, Diff
    from sassay.model.kernel import Census, Kernel
    from sassay.model.lines import LineChange, LineMoves
    from sassay.report.bundle import Report
    from sassay.report.entries import Entry

MAX_CHANGES = 20_000
"""Changes that a page tells of; the JSON report holds them all."""
_LETTER = {Layer.PTX: "p", Layer.SASS: "s"}


class Numbers:
    """Numbers recurring names in order of first use."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Start with some names.

        Args:
            names: Those that come first.
        """
        self._of: dict[str, int] = {}
        for name in names:
            self(name)

    def __call__(self, name: str) -> int:
        """The number of a name."""
        return self._of.setdefault(name, len(self._of))

    @property
    def names(self) -> list[str]:
        """The names by number, plain."""
        return [plain(name) for name in self._of]


class PageData:
    """Collects the data of one page; `build` gives all of it."""

    def __init__(self, report: Report) -> None:
        """Take a report.

        Args:
            report: What the page shows.
        """
        self._report = report
        self.categories = Numbers(CATEGORIES)
        self.files = Numbers()
        self._opcodes = Numbers()

    def build(self) -> dict[str, Any]:
        """The data, of builtin types only."""
        report, diff = self._report, self._report.diff
        labels = select.labels(report)
        shown = self._shown_kernels()
        data: dict[str, Any] = {
            "command": report.command,
            "states": [plain(label) for label in labels],
            "layer": report.options.layer,
            "families": [],
            "changes": [],
            "kernels": {plain(kernel.id): self._kernel(kernel) for kernel in shown},
        }
        if diff is not None:
            told = self._changes(diff)
            data["pairs"] = [_pair(change, labels) for change in _first_of_pairs(diff)]
            data["changes"] = [self._change(change, labels) for change in told]
            data["families"] = self._families(diff)
            data["more"] = max(0, len(diff.changes) - len(told))
        elif report.command == "show":
            data["list"] = [plain(kernel.id) for kernel in shown]
            data["told"] = [plain(text) for text in self._instances(shown)]
        if report.kernel is not None:
            data["start"] = plain(report.kernel.id)
        elif report.command == "code" and report.traced_pairs:
            # Somebody asked for this very kernel.
            data["start"] = plain(report.traced_pairs[0].after)
        data["categories"] = self.categories.names
        data["opcodes"] = self._opcodes.names
        data["files"] = self.files.names
        return data

    @property
    def _everything(self) -> bool:
        options = self._report.options
        return options.all or options.rendering == "full"

    def _shown_kernels(self) -> list[Kernel]:
        report = self._report
        if report.kernel is not None:
            return [report.kernel]
        if report.diff is None:
            limit = report.options.limit or MAX_CHANGES
            return [kernel for state in report.states for kernel in state.kernels][:limit]
        wanted = {
            id_ for change in self._changes(report.diff) for id_ in (change.before, change.after)
        }
        wanted |= {code.kernel for code in report.traced}
        known = select.kernels_by_id(report.states)
        return [known[id_] for id_ in sorted(id_ for id_ in wanted if id_ in known)]

    def _changes(self, diff: Diff) -> Sequence[Change]:
        if self._report.options.rendering == "summary":
            return ()
        moved = [one for one in diff.changes if one.status is not KernelStatus.UNCHANGED]
        rest = [one for one in diff.changes if one.status is KernelStatus.UNCHANGED]
        return [*moved, *rest][: self._report.options.limit or MAX_CHANGES]

    def _instances(self, kernels: Sequence[Kernel]) -> list[str]:
        told = select.instances(kernels)
        return [told[kernel.id] for kernel in kernels]

    def _families(self, diff: Diff) -> list[dict[str, Any]]:
        if self._report.options.rendering == "summary":
            return []
        rows = entries(diff, select.moved_families(diff, everything=self._everything))
        return [self._family(entry) for entry in ranked(rows)]

    def _family(self, entry: Entry) -> dict[str, Any]:
        row, suspect = entry.row, entry.suspect
        found: dict[str, Any] = {
            "n": plain(row.family),
            "a": [plain(arch) for arch in entry.archs],
            "s": select.status_word(row),
            "w": plain(select.status_words(row)),
            "k": row.kernels,
            "b": row.code_bytes,
            "i": {},
            "c": {},
            "o": {},
            "r": [
                [name.replace("_", " "), *values] for name, values in select.moved_resources(row)
            ],
        }
        for layer in select.layers_of(row):
            letter = layer[0]
            found["i"][letter] = select.totals(row, layer)
            found["c"][letter] = [
                [self.categories(name), *values]
                for name, values in sorted(select.categories(row, layer).items())
            ]
            found["o"][letter] = [
                [self._opcodes(name), *values]
                for name, values in select.movements(select.opcodes(row, layer))[:80]
            ]
        if suspect is not None:
            where = f"{entry.suspect_arch}: " if len(entry.archs) > 1 else ""
            found["why"] = plain(arrows(where + suspect.why))
            found["m"] = [
                [self._opcodes(move.opcode), move.kind, move.layer, *move.counts]
                for move in suspect.moves[:24]
            ]
        return found

    def _change(self, change: Change, labels: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "p": _pair(change, labels),
            "f": plain(change.family),
            "a": plain(change.arch),
            "s": change.status.value,
            "t": change.tier.value if change.tier else None,
            "u": change.ptx_tier.value if change.ptx_tier else None,
            "b": plain(change.before) if change.before else None,
            "c": plain(change.after) if change.after else None,
            "x": plain(change.specialization),
        }
        if change.notes:
            found["n"] = [plain(arrows(note)) for note in change.notes]
        if change.lines is not None:
            found["l"] = self._moves(change.lines)
        return found

    def _moves(self, moves: LineMoves) -> dict[str, Any]:
        return {"how": moves.aligned, "rows": [self._line(line) for line in moves.lines]}

    def _line(self, line: LineChange) -> list[Any]:
        return [
            self._place(line.before),
            self._place(line.after),
            plain(line.text) if line.text is not None else None,
            *(
                self._census(delta.categories) if delta is not None else None
                for delta in (line.own.ptx, line.own.sass, line.inclusive.ptx, line.inclusive.sass)
            ),
        ]

    def _place(self, place: SourceLocation | None) -> list[int] | None:
        return None if place is None else [self.files(place.file), place.line]

    def _census(self, census: Mapping[str, int]) -> list[int]:
        """Category, count, category, count, ..."""
        return [part for name, count in census.items() for part in (self.categories(name), count)]

    def _kernel(self, kernel: Kernel) -> dict[str, Any]:
        resources = {
            name.replace("_", " "): getattr(kernel.resources, name)
            for name in kernel.resources.__struct_fields__
        }
        spec = kernel.specialization
        found: dict[str, Any] = {
            "n": plain(kernel.name),
            "f": plain(kernel.family),
            "a": plain(kernel.arch),
            "z": kernel.code_bytes,
            "r": {name: value for name, value in resources.items() if value is not None},
            "o": {},
            "c": {},
            "d": plain(kernel.digest),
            "w": [[source.kind.value, plain(source.path)] for source in kernel.sources[:20]],
            "t": [
                plain(" ".join(part for part in _tools(tool) if part)) for tool in kernel.toolchains
            ],
            "x": {
                name: table
                for name, values in (
                    ("signature", spec.signature),
                    ("constants", spec.constants),
                    ("divisible by", spec.divisibility),
                    ("options", spec.options),
                    ("metadata", kernel.metadata),
                    ("facts", {key: fact.value for key, fact in kernel.facts.items()}),
                    ("launch", _launch(kernel)),
                )
                if (table := _table(values))
            },
        }
        if kernel.symbol != kernel.name:
            found["y"] = plain(kernel.symbol)
        if spec.template_arguments:
            found["g"] = plain(", ".join(spec.template_arguments))
        if kernel.location is not None:
            found["l"] = self._place(kernel.location)
        for layer in Layer:
            census = kernel.instructions.of(layer)
            if census is not None:
                letter = _LETTER[layer]
                found["o"][letter] = self._opcode_census(census)
                found["c"][letter] = self._census(kernel.categories.of(layer) or {})
        return found

    def _opcode_census(self, census: Census) -> list[int]:
        return [part for name, count in census.items() for part in (self._opcodes(name), count)]


def _tools(tool: Any) -> tuple[str | None, ...]:
    return (
        tool.frontend,
        f"ptxas {tool.ptxas}" if tool.ptxas else None,
        f"PTX {tool.ptx_version}" if tool.ptx_version else None,
        tool.options,
    )


def _table(values: Mapping[str, Scalar]) -> list[list[str]]:
    return [[plain(key), plain(scalar(value))] for key, value in values.items()]


def _launch(kernel: Kernel) -> dict[str, Scalar]:
    named = (
        ("block", kernel.launch.block),
        ("largest block", kernel.launch.max_block),
        ("cluster", kernel.launch.cluster),
    )
    found: dict[str, Scalar] = {
        name: " x ".join(map(str, extent)) for name, extent in named if extent is not None
    }
    if kernel.launch.warps is not None:
        found["warps"] = kernel.launch.warps
    return found


def _pair(change: Change | tuple[str, str], labels: Sequence[str]) -> list[int]:
    pair = change if isinstance(change, tuple) else change.pair
    return [labels.index(label) if label in labels else 0 for label in pair]


def _first_of_pairs(diff: Diff) -> list[tuple[str, str]]:
    return [(pair.before, pair.after) for pair in diff.pairs]
