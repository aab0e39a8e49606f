"""The errors that sassay raises: each could-not-judge, never a judgement.

A finding says that sassay judged; an exception says that it could not. Every error prints as one
line that names the artifact, the place inside it and what was expected there.
"""

from __future__ import annotations


class SassayError(Exception):
    """Base of all errors: `artifact: place: message (hint)` on one line.

    Attributes:
        message: What is wrong, in one clause.
        artifact: The file, archive member or input that it concerns.
        place: Offset, line, section or path inside the artifact.
        hint: What to do next, or what was expected.
    """

    def __init__(
        self,
        message: str,
        *,
        artifact: str | None = None,
        place: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.artifact = artifact
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        parts = [part for part in (self.artifact, self.place, self.message) if part]
        line = ": ".join(parts)
        if self.hint:
            line = f"{line} ({self.hint})"
        return " ".join(line.split())

    def within(self, artifact: str) -> SassayError:
        """The same error, said of an artifact that holds the one it names.

        Args:
            artifact: The outer file, such as the archive around a member.
        """
        inner = f"{artifact}!{self.artifact}" if self.artifact else artifact
        return type(self)(self.message, artifact=inner, place=self.place, hint=self.hint)


class UsageError(SassayError):
    """The command line asks for something that does not exist or does not fit together."""


class InputError(SassayError):
    """An input is missing, unreadable, or holds nothing that sassay reads."""


class FormatError(SassayError):
    """An artifact does not follow its format; `place` is an offset, a section or a line."""


class LimitError(FormatError):
    """An artifact claims or needs more than `containers.limits` allows."""


class ToolError(SassayError):
    """An external tool (nvdisasm, pip, Triton) is missing, too old, or failed."""


class PolicyError(SassayError):
    """A policy file is wrong; `place` is `line N, path`."""


class ManifestError(SassayError):
    """A compile manifest is wrong; `place` is `line N` or the key's path."""


class ContractError(SassayError):
    """A parity contract or a probe is wrong; `place` is `line N, path`."""


class CompileError(SassayError):
    """A kernel named in a manifest does not compile; the message is the compiler's."""
