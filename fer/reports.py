"""What the five reports printed, each with its split: the numbers that ours stand beside."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reported:
    """What a report printed about a system.

    Attributes:
        source: the report and the place in it, as a reader would look it up.
        accuracy: in [0, 1]; None where the report describes the system without a number.
        split: PublicTest or PrivateTest; None without a number.
    """

    source: str
    accuracy: float | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        if (self.accuracy is None) != (self.split is None):
            raise ValueError(f"{self.source}: a printed accuracy and its split go together")


REPORTED_ON = "fer2013"  # beside another dataset's numbers the printed ones would mean nothing
REPORTED: dict[str, Reported] = {
    "cs231n_baseline": Reported("report 000, baseline"),
    "cs231n": Reported("report 000, best network on its validation set", 0.607, "PublicTest"),
    "cs231n_student": Reported("report 000, self-distillation"),
}
