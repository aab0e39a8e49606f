"""What the machine refuses before it runs anything."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sassay.errors import SassayError

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnsupportedInstruction(SassayError):  # noqa: N818 - it names what the program asks for
    """A program uses instruction forms that the machine does not implement.

    Attributes:
        forms: Each missing form with its count and the line of its first use, most used first.
    """

    def __init__(
        self,
        missing: Sequence[tuple[str, int]],
        *,
        artifact: str | None = None,
        mode: str = "machine",
    ) -> None:
        """Collects the missing instructions.

        Args:
            missing: Form and line of every instruction that is not implemented.
            artifact: The module.
            mode: What does not implement them.
        """
        counts = Counter(form for form, _ in missing)
        lines: dict[str, int] = {}
        for form, line in missing:
            lines.setdefault(form, line)
        self.forms = tuple(
            (form, count, lines[form])
            for form, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        )
        listed = "; ".join(f"{form} x{count} (line {line})" for form, count, line in self.forms)
        super().__init__(
            f"the {mode} does not implement {len(self.forms)} instruction forms: {listed}",
            artifact=artifact,
            place=f"line {min(lines.values(), default=0)}",
        )


class MissingForm(Exception):  # noqa: N818 - internal: collected into UnsupportedInstruction
    """One instruction cannot be lowered; `form` says what is missing."""

    def __init__(self, form: str) -> None:
        super().__init__(form)
        self.form = form
