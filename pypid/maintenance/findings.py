"""What a check finds, and what became of it."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

__all__ = ["Finding", "Result"]


@frozen
class Finding:
    """Something that is wrong in the tree of an index."""

    place: str
    """The path below the root."""
    problem: str
    """The problem, as the rest of a sentence about the place."""
    remedy: str = ""
    """The advice to an administrator, if the repair cannot do it; empty if there is a repair."""
    repair: Callable[[], str] | None = None
    """Repairs it, and returns a line that says how; ``None`` if it cannot be repaired. It blocks.

    It is called while the project is locked. :raises OSError: the repair failed, and nothing changed.
    """
    heals: bool = True
    """Whether the repair removes the problem. Otherwise it only keeps clients from harm."""

    @property
    def line(self) -> str:
        """The finding as one line."""
        return f"{self.place}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")


@frozen
class Result:
    """A finding after the repair, if there was one."""

    line: str
    """The line for the administrator."""
    is_wrong: bool
    """Whether something is still wrong."""

    @classmethod
    def of(cls, finding: Finding, *, repairing: bool) -> Result:
        """Return the result of a finding. Blocks.

        :param repairing: whether to repair it, if that is possible.
        """
        if not repairing:
            hint = "; `pypid check --repair` mends it" if finding.repair is not None and finding.heals else ""
            return cls(finding.line + hint, is_wrong=True)
        if finding.repair is None:
            return cls(f"cannot be repaired: {finding.line}", is_wrong=True)
        try:
            done = finding.repair()
        except OSError as error:
            return cls(f"cannot be repaired: {finding.line} ({error.strerror})", is_wrong=True)
        if finding.heals:
            return cls(f"repaired: {finding.place}: {finding.problem}; {done}", is_wrong=False)
        return cls(f"cannot be repaired: {finding.line}; {done}", is_wrong=True)
