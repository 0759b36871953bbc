"""Make statistics_reference.json from independent implementations; run by hand.

Separation: plain sums with the standard library's `statistics`. Benjamini-Hochberg: the 15
p-values of Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x (section 4.1; 4
rejected at 5 %, Bonferroni 3), stepped up by hand. Class table: scikit-learn. Welch: SciPy.
"""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

from scipy import stats
from sklearn import metrics

NEGATIVE, POSITIVE = [1, 1.2, 0.8, 1.1, 0.9], [5, 5.5, 4.5, 5.2, 4.8]
P_VALUES = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip
TRUE = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
CALLED = [0, 0, 1, 0, 2, 1, 1, 0, 1, 2, 2, 0]


def separation() -> dict[str, float]:
    distance = abs(statistics.mean(NEGATIVE) - statistics.mean(POSITIVE))
    sample = statistics.stdev(NEGATIVE) + statistics.stdev(POSITIVE)
    population = statistics.pstdev(NEGATIVE) + statistics.pstdev(POSITIVE)
    centres = [statistics.median(values) for values in (NEGATIVE, POSITIVE)]
    mads = [
        statistics.median([abs(value - centre) for value in values])
        for values, centre in zip((NEGATIVE, POSITIVE), centres, strict=True)
    ]
    spread = math.sqrt(statistics.variance(NEGATIVE) + statistics.variance(POSITIVE))
    return {
        "z_prime": 1 - 3 * sample / distance,
        "z_prime_ddof_0": 1 - 3 * population / distance,
        "robust_z_prime": 1 - 3 * 1.4826 * sum(mads) / abs(centres[0] - centres[1]),
        "ssmd": distance / spread,
    }


def step_up() -> list[float]:
    q_values, least = [], 1.0
    for rank in range(len(P_VALUES), 0, -1):
        least = min(least, P_VALUES[rank - 1] * len(P_VALUES) / rank)
        q_values.append(least)
    return q_values[::-1]


def main() -> None:
    precision, recall, f1, support = metrics.precision_recall_fscore_support(TRUE, CALLED)
    reference = {
        "negative": NEGATIVE,
        "positive": POSITIVE,
        "separation": separation(),
        "p_values": P_VALUES,
        "q_values": step_up(),
        "true": TRUE,
        "called": CALLED,
        "confusion": metrics.confusion_matrix(TRUE, CALLED).tolist(),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "balanced_accuracy": metrics.balanced_accuracy_score(TRUE, CALLED),
        "welch_p": stats.ttest_ind(NEGATIVE, POSITIVE, equal_var=False).pvalue,
    }
    path = Path(__file__).with_name("statistics_reference.json")
    path.write_text(json.dumps(reference, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
