"""Golden values for kd-metrics, from scikit-learn, SciPy, statsmodels and the MedMNIST evaluator.

    V/bin/python make.py ../../crates/kd-metrics/tests/oracle

V is an environment with oracles/requirements.txt; of medmnist only the source of its two evaluator functions is read.
Where no tool has the figure (DeLong's variance, the tie rule of the equal-mass bins, the two-level bootstrap) an
independent brute-force version is written here and the output says so. Cases are imbalanced and tied, so that a swap of
axes, classes or arguments shows.
"""

import ast
import importlib.metadata
import importlib.util
import json
import pathlib
import platform
import sys
import warnings
from fractions import Fraction

import numpy as np
from scipy import optimize, special, stats
from sklearn import calibration, metrics
from sklearn.metrics import accuracy_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

OUT = pathlib.Path(sys.argv[1])
PACKAGES = ["numpy", "scipy", "scikit-learn", "statsmodels", "medmnist"]
VERSIONS = {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES}


def write(name, sources, body):
    document = {"made_by": "oracles/metrics/make.py", "versions": VERSIONS, "sources": sources} | body
    text = json.dumps(document, indent=1, default=lambda x: x.tolist(), allow_nan=False)
    (OUT / f"{name}.json").write_text(text + "\n")


def evaluator():
    """getAUC and getACC of the medmnist package, without importing the package."""
    folder = importlib.util.find_spec("medmnist").submodule_search_locations[0]
    tree = ast.parse(pathlib.Path(folder, "evaluator.py").read_text())
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in ("getAUC", "getACC")]
    names = {"np": np, "roc_auc_score": roc_auc_score, "accuracy_score": accuracy_score}
    exec(compile(tree, "evaluator.py", "exec"), names)
    return names["getAUC"], names["getACC"]


GET_AUC, GET_ACC = evaluator()


def medmnist(truth, scores, task):
    truth, scores = np.asarray(truth), np.asarray(scores)
    return {"task": task, "auc": GET_AUC(truth, scores, task), "acc": GET_ACC(truth, scores, task)}


def rates(truth, predicted, labels, averages):
    """scikit-learn's rates; specificity is the recall of everybody else."""
    out = {}
    for average in averages:
        p, r, f, _ = metrics.precision_recall_fscore_support(
            truth, predicted, labels=labels, average=average, zero_division=0
        )
        out[average or "per_class"] = {"precision": p, "recall": r, "f1": f}
    m = metrics.multilabel_confusion_matrix(truth, predicted, labels=labels)
    tn, fp = m[:, 0, 0], m[:, 0, 1]
    if None in averages:
        out["per_class"]["specificity"] = tn / (tn + fp)
    if "macro" in averages:
        out["macro"]["specificity"] = np.mean(tn / (tn + fp))
    if "micro" in averages:
        out["micro"]["specificity"] = tn.sum() / (tn.sum() + fp.sum())
    return out


def binary_case(rng, n, share, decimals):
    truth = rng.random(n) < share
    logits = rng.normal(-0.6, 1.2, n) + 1.1 * truth
    scores = np.round(special.expit(logits), decimals)
    scores[:2] = [0.5, 0.5]  # at the threshold, both ways
    truth[:2] = [True, False]
    fpr, tpr, thresholds = metrics.roc_curve(truth, scores, drop_intermediate=False)
    eps = 1e-7
    matrix = metrics.confusion_matrix(truth, scores > 0.5)
    j = int(np.argmax(tpr - fpr))
    at_sens = int(np.flatnonzero(tpr >= 0.9)[0])
    at_spec = int(np.flatnonzero(1 - fpr >= 0.9)[-1])
    return {
        "truth": truth,
        "scores": scores,
        "confusion_above_half": matrix,
        "auroc": metrics.roc_auc_score(truth, scores),
        "average_precision": metrics.average_precision_score(truth, scores),
        "roc": {"fpr": fpr, "tpr": tpr, "thresholds": thresholds[1:]},
        "brier": metrics.brier_score_loss(truth, scores),
        "log_loss_clip": eps,
        "log_loss": metrics.log_loss(truth, np.clip(scores, eps, 1 - eps)),
        "mcc": metrics.matthews_corrcoef(truth, scores > 0.5),
        "kappa": metrics.cohen_kappa_score(truth, scores > 0.5),
        "rates_positive": rates(truth.astype(int), (scores > 0.5).astype(int), [1], [None])["per_class"],
        "youden": {"threshold": thresholds[j], "sensitivity": tpr[j], "specificity": 1 - fpr[j]},
        "sensitivity_90": {"threshold": thresholds[at_sens], "sensitivity": tpr[at_sens], "specificity": 1 - fpr[at_sens]},
        "specificity_90": {"threshold": thresholds[at_spec], "sensitivity": tpr[at_spec], "specificity": 1 - fpr[at_spec]},
        "medmnist": medmnist(truth.astype(int), scores, "binary-class"),
    }


def multiclass_case(rng, n, shares, task, absent=()):
    k = len(shares)
    truth = rng.choice(k, n, p=np.array(shares))
    logits = np.round(rng.normal(0, 1, (n, k)) + 1.2 * np.eye(k)[truth] + np.linspace(0.6, 0, k), 1)
    p = special.softmax(logits, axis=1)
    predicted = p.argmax(1)
    present = [c for c in range(k) if c not in absent]
    assert set(np.unique(truth)) == set(present)
    eps = 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = {
            "classes": k,
            "truth": truth,
            "logits": logits.ravel(),
            "probabilities": p.ravel(),
            "confusion": metrics.confusion_matrix(truth, predicted, labels=range(k)),
            "accuracy": metrics.accuracy_score(truth, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "per_class": rates(truth, predicted, list(range(k)), [None])["per_class"],
            "macro_present": rates(truth, predicted, present, ["macro"])["macro"],
            "micro": rates(truth, predicted, list(range(k)), ["micro"])["micro"],
            "kappa": {
                name: metrics.cohen_kappa_score(truth, predicted, labels=list(range(k)), weights=w)
                for name, w in [("unweighted", None), ("linear", "linear"), ("quadratic", "quadratic")]
            },
            "mcc": metrics.matthews_corrcoef(truth, predicted),
            "brier": metrics.brier_score_loss(truth, p, labels=list(range(k)), scale_by_half=False),
            "log_loss_clip": eps,
            "log_loss": metrics.log_loss(truth, p, labels=list(range(k))),
            "auroc_present": [metrics.roc_auc_score(truth == c, p[:, c]) for c in present],
            "absent": list(absent),
        }
    if not absent:
        body["medmnist"] = medmnist(truth, p, task)
        # For two classes scikit-learn looks at one column only; in the other one, rounding can tie other samples.
        body["auroc_macro"] = (
            metrics.roc_auc_score(truth, p, multi_class="ovr", average="macro") if k > 2 else np.mean(body["auroc_present"])
        )
    return body


def multi_label_case(rng, n, shares):
    l = len(shares)
    truth = rng.random((n, l)) < np.array(shares)
    p = np.round(special.expit(rng.normal(-0.8, 1.3, (n, l)) + 1.4 * truth), 2)
    t, d = truth.astype(int), (p > 0.5).astype(int)
    averages = rates(t, d, None, [None, "macro", "micro"])
    return {
        "labels": l,
        "truth": truth.ravel(),
        "probabilities": p.ravel(),
        "auroc_macro": metrics.roc_auc_score(t, p, average="macro"),
        "per_label": averages["per_class"],
        "macro": averages["macro"],
        "micro": averages["micro"],
        "log_loss": np.mean([metrics.log_loss(t[:, i], np.clip(p[:, i], 1e-7, 1 - 1e-7)) for i in range(l)]),
        "log_loss_clip": 1e-7,
        "medmnist": medmnist(t, p, "multi-label, binary-class"),
    }


def equal_mass(confidence, hit, bins):
    """The stated tie rule in exact fractions: a run of ties goes where its middle goes."""
    n, groups, start, out = len(confidence), {}, 0, {}
    for c, h in sorted(zip(confidence.tolist(), hit.tolist())):
        groups.setdefault(c, []).append(h)
    for c in sorted(groups):
        hits = groups[c]
        out.setdefault(int(bins * (start + Fraction(len(hits), 2)) / n), []).extend((c, h) for h in hits)
        start += len(hits)
    return [
        {"samples": len(m), "confidence": float(np.mean([c for c, _ in m])), "frequency": float(np.mean([h for _, h in m]))}
        for _, m in sorted(out.items())
    ]


def ece(curve):
    n = sum(b["samples"] for b in curve)
    return sum(b["samples"] / n * abs(b["frequency"] - b["confidence"]) for b in curve)


def calibration_cases(rng):
    # Untied, bins divide n: scikit-learn's quantile bins are the same sets.
    n, bins = 60, 5
    p = rng.random(n)
    truth = rng.random(n) < p**2
    frequency, confidence = calibration.calibration_curve(truth, p, n_bins=bins, strategy="quantile")
    untied = {"scores": p, "truth": truth, "bins": bins, "frequency": frequency, "confidence": confidence,
              "ece": np.mean(np.abs(frequency - confidence))}
    # Tied and not divisible.
    q = np.round(rng.random(53), 1)
    t = rng.random(53) < q
    curve = equal_mass(q, t, 7)
    tied = {"scores": q, "truth": t, "bins": 7, "curve": curve, "ece": ece(curve)}
    # Top label of three classes; logits on a coarse grid tie.
    logits = np.round(rng.normal(0, 1.5, (75, 3)), 0)
    labels = rng.choice(3, 75, p=[0.6, 0.3, 0.1])
    s = special.softmax(logits, axis=1)
    # Permutations of one set of logits can differ in the last bit, so ties are made exact first.
    s = np.round(s, 12)
    curve = equal_mass(s.max(1), s.argmax(1) == labels, 10)
    top = {"probabilities": s.ravel(), "classes": 3, "truth": labels, "bins": 10, "curve": curve, "ece": ece(curve)}
    return {"untied": untied, "tied": tied, "top_label": top}


def temperature_cases(rng):
    z = np.round(rng.normal(0, 3, (120, 4)), 2)
    t = np.array([rng.choice(4, p=special.softmax(row / 2.2)) for row in z])
    nll = lambda u: -np.mean(special.log_softmax(z / np.exp(u), axis=1)[np.arange(120), t])
    multi = optimize.minimize_scalar(nll, bounds=np.log([0.01, 100]), method="bounded", options={"xatol": 1e-12})
    zb = np.round(rng.normal(-1, 2, 90), 2)
    tb = rng.random(90) < special.expit(zb * 1.8)
    nllb = lambda u: np.mean(np.logaddexp(0, -(2 * tb - 1) * zb / np.exp(u)))
    one = optimize.minimize_scalar(nllb, bounds=np.log([0.01, 100]), method="bounded", options={"xatol": 1e-12})
    return {
        "multiclass": {"logits": z.ravel(), "classes": 4, "truth": t, "temperature": np.exp(multi.x), "before": nll(0.0), "after": multi.fun},
        "bernoulli": {"logits": zb, "truth": tb, "temperature": np.exp(one.x), "before": nllb(0.0), "after": one.fun},
    }


def delong_parts(truth, scores):
    """All pairs, one at a time."""
    pos, neg = scores[truth], scores[~truth]
    psi = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in neg] for x in pos])
    return psi.mean(), psi.mean(1), psi.mean(0)


def delong_case(rng, n, share):
    truth = rng.random(n) < share
    base = rng.normal(0, 1, n) + 1.2 * truth
    a, b = np.round(base + rng.normal(0, 0.4, n), 1), np.round(base + rng.normal(0, 1.0, n), 1)
    (auc_a, v10a, v01a), (auc_b, v10b, v01b) = delong_parts(truth, a), delong_parts(truth, b)
    m, k = truth.sum(), (~truth).sum()
    s = np.cov(v10a, v10b) / m + np.cov(v01a, v01b) / k
    se = np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
    z = (auc_a - auc_b) / se
    half = stats.norm.ppf(0.975)
    return {
        "truth": truth, "first": a, "second": b, "level": 0.95,
        "auroc_first": auc_a, "variance_first": s[0, 0], "interval_first": [max(0, auc_a - half * s[0, 0] ** 0.5), min(1, auc_a + half * s[0, 0] ** 0.5)],
        "auroc_second": auc_b, "variance_second": s[1, 1],
        "difference": auc_a - auc_b, "standard_error": se, "z": z, "p_value": 2 * stats.norm.sf(abs(z)),
        "interval": [auc_a - auc_b - half * se, auc_a - auc_b + half * se],
    }


def test_cases():
    pairs = [(5, 0), (3, 9), (14, 6), (1, 1), (40, 71), (0, 13), (300, 240)]
    out = []
    for b, c in pairs:
        table = [[50, b], [c, 30]]
        chi = mcnemar(table, exact=False, correction=True)
        row = {"only_first": b, "only_second": c, "exact": mcnemar(table, exact=True).pvalue}
        if b != c:  # statsmodels squares -1 there
            row |= {"statistic": chi.statistic, "p_value": chi.pvalue}
        out.append(row)
    shares = [(0, 7), (3, 11), (250, 624), (19, 20), (12, 12)]
    wilson = [{"successes": k, "total": n, "level": l, "interval": proportion_confint(k, n, 1 - l, "wilson")} for k, n in shares for l in (0.9, 0.95)]
    p = [0.04, 0.001, 0.03, 0.03, 0.5, 0.0004, 0.9]
    return {"mcnemar": out, "wilson": wilson, "holm": {"p_values": p, "adjusted": multipletests(p, method="holm")[1]}}


def auc(truth, scores):
    m = truth.sum()
    if m == 0 or m == len(truth):
        return np.nan
    return (stats.rankdata(scores)[truth].sum() - m * (m + 1) / 2) / (m * (len(truth) - m))


def bootstrap_cases(rng):
    n, subjects = 90, 40
    group = rng.integers(0, subjects, n)
    group[:subjects] = np.arange(subjects)
    effect = rng.normal(0, 0.8, subjects)
    truth = rng.random(n) < 0.35
    scores = np.round(rng.normal(0, 1, n) + 1.3 * truth + effect[group], 1)
    values = np.round(rng.gamma(1.5, 2.0, n) + effect[group], 3)
    members = [np.flatnonzero(group == g) for g in range(subjects)]
    drawn = lambda ids: np.concatenate([members[int(i)] for i in ids])
    statistics = {"auroc": lambda ids: auc(truth[drawn(ids)], scores[drawn(ids)]), "mean": lambda ids: values[drawn(ids)].mean()}
    out = {"groups": group, "truth": truth, "scores": scores, "values": values, "resamples": 20000, "level": 0.95, "intervals": {}}
    for name, statistic in statistics.items():
        for method in ("percentile", "BCa"):
            r = stats.bootstrap((np.arange(subjects),), statistic, vectorized=False, n_resamples=20000, method=method, confidence_level=0.95, rng=np.random.default_rng(11))
            out["intervals"][f"{name}_{method}"] = {"low": r.confidence_interval.low, "high": r.confidence_interval.high, "standard_error": r.standard_error}
    return out


def two_level_case(rng):
    n, subjects, seeds, draws = 120, 70, 4, 20000
    group = rng.integers(0, subjects, n)
    group[:subjects] = np.arange(subjects)
    truth = rng.random(n) < 0.4
    base = rng.normal(0, 1, n)
    teacher = np.round(base + 2.4 * truth, 2)
    alone = np.array([np.round(base + rng.normal(0, 1.0, n) + (1.0 + 0.25 * s) * truth, 2) for s in range(seeds)])
    distilled = np.array([np.round(base + rng.normal(0, 0.6, n) + (1.7 + 0.1 * s) * truth, 2) for s in range(seeds)])
    members = [np.flatnonzero(group == g) for g in range(subjects)]
    rows = []
    for _ in range(draws):
        seed_draw = rng.integers(0, seeds, seeds)
        idx = np.concatenate([members[i] for i in rng.integers(0, subjects, subjects)])
        t = truth[idx]
        each = lambda arm: np.array([auc(t, arm[s][idx]) for s in range(seeds)])[seed_draw].mean()
        rows.append([auc(t, teacher[idx]), each(alone), each(distilled)])
    rows = np.array(rows)
    T, A, D = auc(truth, teacher), np.mean([auc(truth, a) for a in alone]), np.mean([auc(truth, d) for d in distilled])
    series = {"teacher": rows[:, 0], "alone": rows[:, 1], "distilled": rows[:, 2], "distilled_minus_alone": rows[:, 2] - rows[:, 1],
              "recovered": ((rows[:, 2] - rows[:, 1]) / (rows[:, 0] - rows[:, 1]))[rows[:, 0] > rows[:, 1]]}
    # Densities at the two ends, for the Monte-Carlo error of a quantile: half the spread between nearby quantiles.
    q = lambda v: {"low": np.quantile(v, 0.025), "high": np.quantile(v, 0.975),
                   "low_error": 4 * np.sqrt(2) * (np.quantile(v, 0.025 + 0.0011) - np.quantile(v, 0.025 - 0.0011)) / 2,
                   "high_error": 4 * np.sqrt(2) * (np.quantile(v, 0.975 + 0.0011) - np.quantile(v, 0.975 - 0.0011)) / 2}
    return {"groups": group, "truth": truth, "teacher": teacher, "alone": alone, "distilled": distilled, "seeds": seeds, "resamples": draws,
            "values": {"teacher": T, "alone": A, "distilled": D, "recovered": (D - A) / (T - A)}, "intervals": {k: q(v) for k, v in series.items()}}


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20240611)
    skl, mm = "scikit-learn", "medmnist evaluator (getAUC, getACC)"
    write("binary", [skl, mm, "operating points: numpy on scikit-learn's roc_curve"], {"cases": [binary_case(rng, 70, 0.2, 2), binary_case(rng, 41, 0.7, 1)]})
    write("multiclass", [skl, mm], {"cases": [
        multiclass_case(rng, 90, [0.7, 0.2, 0.1], "multi-class"),
        multiclass_case(rng, 160, [0.4, 0.2, 0.12, 0.1, 0.08, 0.06, 0.04], "ordinal-regression"),
        multiclass_case(rng, 50, [0.8, 0.2], "binary-class"),
        multiclass_case(rng, 60, [0.5, 0.3, 0.0, 0.2], "multi-class", absent=(2,)),
    ]})
    write("multi_label", [skl, mm], {"cases": [multi_label_case(rng, 80, [0.5, 0.1, 0.25, 0.8])]})
    write("calibration", ["untied: scikit-learn calibration_curve(strategy='quantile')", "tied and top label: independent version of the stated rule in exact fractions"], calibration_cases(rng))
    write("temperature", ["scipy.optimize.minimize_scalar on the loss in log T"], temperature_cases(rng))
    write("delong", ["independent brute force over all pairs with numpy.cov; p-value from scipy.stats.norm"], {"cases": [delong_case(rng, 60, 0.3), delong_case(rng, 85, 0.6)]})
    write("tests", ["statsmodels mcnemar, proportion_confint, multipletests"], test_cases())
    write("bootstrap", ["scipy.stats.bootstrap over subject indices"], bootstrap_cases(rng))
    write("two_level", ["independent version in numpy with scipy.stats.rankdata"], two_level_case(rng))
