"""ROC and precision-recall curves, exact: equal scores are one point, areas are summed in integers.

Points that do not change the picture are left out, as scikit-learn does.
"""

import math
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from hansard.media.arrays import numbers
from hansard.media.values import Curve


class _Counts(NamedTuple):
    """True and false positives when all scores from ``threshold`` up are called positive."""

    threshold: float
    true: int
    false: int


def roc(truth: object, scores: object) -> tuple[Curve, float]:
    """The ROC curve and the area under it. ``truth`` has 0 and 1, False and True or -1 and 1.

    Raises TypeError for what are no numbers, ValueError for other truths, scores that are not
    finite, lists of different lengths and truths without both classes.
    """
    counts = _counted(truth, scores)
    true, false = counts[-1].true, counts[-1].false
    if not true or not false:
        raise ValueError("a ROC curve needs positive and negative examples")
    twice = sum((b.false - a.false) * (a.true + b.true) for a, b in pairwise(counts))
    kept = counts[:1] + _corners(counts[1:])
    curve = Curve(
        tuple(each.false / false for each in kept),
        tuple(each.true / true for each in kept),
        "false positive rate",
        "true positive rate",
        tuple(each.threshold for each in kept),
    )
    return curve, twice / (2 * true * false)


def precision_recall(truth: object, scores: object) -> tuple[Curve, float]:
    """The precision-recall curve, by rising recall, and the average precision.

    Raises what `roc` raises; only positive examples are needed.
    """
    counts = _counted(truth, scores)
    positives = counts[-1].true
    if not positives:
        raise ValueError("a precision-recall curve needs positive examples")
    average = math.fsum(
        (b.true - a.true) / positives * (b.true / (b.true + b.false)) for a, b in pairwise(counts)
    )
    kept = _ends_of_recalls(counts[1:])
    curve = Curve(
        (0.0, *(each.true / positives for each in kept)),
        (1.0, *(each.true / (each.true + each.false) for each in kept)),
        "recall",
        "precision",
        (math.inf, *(each.threshold for each in kept)),
    )
    return curve, average


def _counted(truth: object, scores: object) -> list[_Counts]:
    """The counts at each distinct score, from none called positive to all."""
    positive, values = _binary(truth), numbers(scores, "scores")
    if len(positive) != len(values):
        raise ValueError(f"{len(positive)} truths, but {len(values)} scores")
    if not all(map(math.isfinite, values)):
        raise ValueError("a score is not finite")
    ranked = sorted(zip(values, positive, strict=True), key=itemgetter(0), reverse=True)
    counts = [_Counts(math.inf, 0, 0)]
    true, last = 0, len(ranked) - 1
    for at, (score, is_positive) in enumerate(ranked):
        true += is_positive
        if at == last or ranked[at + 1][0] != score:
            counts.append(_Counts(score, true, at + 1 - true))
    return counts


def _binary(truth: object) -> list[bool]:
    values = numbers(truth, "truth")
    if not set(values) <= {0.0, 1.0} and not set(values) <= {-1.0, 1.0}:
        raise ValueError("`truth` has other values than 0 and 1, or -1 and 1")
    return [value > 0 for value in values]


def _corners(counts: list[_Counts]) -> list[_Counts]:
    """Without the points halfway between their neighbours."""
    inner = [
        b
        for a, b, c in zip(counts, counts[1:], counts[2:], strict=False)
        if a.true + c.true != 2 * b.true or a.false + c.false != 2 * b.false
    ]
    return counts[:1] + inner + counts[1:][-1:]


def _ends_of_recalls(counts: list[_Counts]) -> list[_Counts]:
    """Of the points of equal recall, a vertical line, the first and the last."""
    inner = [b for a, b, c in zip(counts, counts[1:], counts[2:], strict=False) if a.true != c.true]
    return counts[:1] + inner + counts[1:][-1:]
