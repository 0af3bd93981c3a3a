"""Golden values of statistics over cases: Wilcoxon's signed ranks, Bland and Altman's limits, means over subjects.

    python3 oracles/cases/make.py > crates/kd-metrics/tests/oracle/cases.json

Wilcoxon is SciPy's; where differences are tied or zero its exact method does not hold, and all signs are gone through
instead (SciPy's PermutationMethod, which does the same, has to agree). The bias and its interval are statsmodels', the
intervals of the limits are the published formula with SciPy's t.
"""

import importlib.metadata
import itertools
import json
import platform
import sys

import numpy as np
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

PACKAGES = ["numpy", "scipy", "statsmodels"]
SEED = 20251126


def every_sign(d, method):
    """Two-sided p-value over all signs of the ranks there are."""
    if method == "wilcox":
        d = d[d != 0]
        ranks = stats.rankdata(np.abs(d))
    else:
        ranks = stats.rankdata(np.abs(d))[d != 0]
        d = d[d != 0]
    w = ranks[d > 0].sum()
    sums = np.array([sum(r for r, s in zip(ranks, signs) if s) for signs in itertools.product((0, 1), repeat=len(d))])
    return min(1.0, 2 * min((sums <= w + 1e-9).mean(), (sums >= w - 1e-9).mean()))


def wilcoxon(d):
    out = {"differences": d}
    for method in ("wilcox", "pratt"):
        plain = stats.wilcoxon(d, zero_method=method, method="asymptotic", correction=False)
        case = {"normal": plain.pvalue}
        has_ties = len(set(np.abs(d))) < len(d) or (d == 0).any()
        if not has_ties:
            case["exact"] = stats.wilcoxon(d, zero_method=method, method="exact").pvalue
        if len(d) <= 14:
            counted = every_sign(d, method)
            assert has_ties or abs(counted - case["exact"]) < 1e-12
            if method == "wilcox":
                by_scipy = stats.wilcoxon(d, method=stats.PermutationMethod(n_resamples=np.inf)).pvalue
                assert abs(counted - by_scipy) < 1e-12, (counted, by_scipy)
            case["exact"] = counted
        ranked = d[d != 0] if method == "wilcox" else d
        ranks = stats.rankdata(np.abs(ranked))
        case["rank_sums"] = [ranks[ranked > 0].sum(), ranks[ranked < 0].sum()]
        out[method] = case
    return out


def wilcoxon_cases(rng):
    yield wilcoxon(np.round(rng.normal(0.3, 1, 11), 4))
    yield wilcoxon(np.round(rng.normal(0.2, 1, 47), 4))
    yield wilcoxon(np.round(rng.normal(0.5, 1.2, 13)))
    yield wilcoxon(np.array([0.0, 0.25, -0.25, 0.5, 0.5, 0.75, 0.0, -0.125, 1.0]))
    yield wilcoxon(np.array([1.0, 2.0, 3.0, 4.0]))
    yield wilcoxon(np.round(rng.normal(0.1, 1, 120), 4))


def bland_altman(rng, n, agreement, level):
    truth = np.round(rng.lognormal(3, 0.4, n), 2)
    measured = np.round(truth * 1.04 + rng.normal(-0.3, 2, n), 2)
    d = measured - truth
    z, t = stats.norm.ppf((1 + agreement) / 2), stats.t.ppf((1 + level) / 2, n - 1)
    sd = d.std(ddof=1)
    half = t * sd * np.sqrt(1 / n + z**2 / (2 * (n - 1)))
    limits = [d.mean() - z * sd, d.mean() + z * sd]
    return {
        "first": measured,
        "second": truth,
        "agreement": agreement,
        "level": level,
        "bias": d.mean(),
        "standard_deviation": sd,
        "bias_interval": DescrStatsW(d).tconfint_mean(alpha=1 - level),
        "limits": limits,
        "limit_intervals": [[limit - half, limit + half] for limit in limits],
    }


def means(rng):
    """Cases of ten subjects, some without a score."""
    subjects = rng.integers(0, 10, 41)
    scores = np.round(rng.beta(8, 2, 41), 4)
    missing = rng.random(41) < 0.2
    missing |= subjects == 4
    kept = scores[~missing]
    of_subjects = [scores[~missing & (subjects == s)].mean() for s in range(10) if (~missing & (subjects == s)).any()]
    return {
        "subjects": subjects,
        "scores": [None if m else s for s, m in zip(scores, missing)],
        "each_case": kept.mean(),
        "each_subject": np.mean(of_subjects),
        "counted": [len(kept), int(missing.sum()), len(of_subjects)],
    }


def main():
    rng = np.random.default_rng(SEED)
    document = {
        "made_by": "oracles/cases/make.py",
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
        "seed": SEED,
        "wilcoxon": list(wilcoxon_cases(rng)),
        "bland_altman": [bland_altman(rng, 23, 0.95, 0.95), bland_altman(rng, 5, 0.9, 0.8), bland_altman(rng, 2, 0.95, 0.9)],
        "means": means(rng),
    }
    text = json.dumps(document, default=lambda x: x.tolist(), allow_nan=False, separators=(",", ":"))
    sys.stdout.write(text.replace(',"', ',\n"') + "\n")


main()
