"""What is told of many rounds: medians, and how far they lie apart."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .calls import Figures, Round, Run


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of several measurements, the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Figure":
        """Sum up."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])


def of_calls(rounds: Sequence[Round], kind: Callable[[Round], Figures]) -> dict[str, Figure]:
    """Sum up one kind of call; rates in calls a second, times as the names say."""

    def over(value: Callable[[Figures], float]) -> Figure:
        return Figure.of(value(kind(each)) for each in rounds)

    return {
        "rps": over(lambda found: found.many.load.rate),
        "floor_rps": over(lambda found: found.floor),
        "ratio": over(lambda found: found.many.load.rate / found.floor),
        "c1_p50_ms": over(lambda found: percentile(found.one, 50)),
        "c1_p99_ms": over(lambda found: percentile(found.one, 99)),
        "c16_p50_ms": over(lambda found: percentile(found.many, 50)),
        "c16_p99_ms": over(lambda found: percentile(found.many, 99)),
        "server_us": over(lambda found: 1e6 * found.many.server_cpu),
        "client_load": over(lambda found: found.many.load.client_cpu / found.many.load.seconds),
        "others_load": over(lambda found: found.many.others),
    }


def of_floor(rounds: Sequence[Round]) -> dict[str, Figure]:
    """Sum up what the floors are made of, in microseconds, and how many calls shared a commit."""
    return {
        "http_us": Figure.of(1e6 / each.http.load.rate for each in rounds),
        "http_server_us": Figure.of(1e6 * each.http.server_cpu for each in rounds),
        "verify_us": Figure.of(1e6 * each.primitives.verify for each in rounds),
        "row_us": Figure.of(1e6 * each.primitives.row for each in rounds),
        "sign_us": Figure.of(1e6 * each.primitives.sign for each in rounds),
        "calls_per_commit": Figure.of(each.plain.many.batch for each in rounds),
    }


def percentile(run: Run, percent: int) -> float:
    """Return the milliseconds within which this percentage of the calls was done."""
    ordered = sorted(run.load.latencies)
    return 1e3 * ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]
