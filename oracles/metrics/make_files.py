"""Prediction files written by NumPy and csv, with scikit-learn's scores of them: what `kd metrics classify` has to meet.

    V/bin/python make_files.py ../../crates/kd-cli/tests/oracle

V is an environment with oracles/requirements.txt.

The files differ on purpose in everything that readers stumble over: float32, big-endian, float16 and Fortran order,
truth as [n, 1] and as booleans, text groups, an archive with two arrays, and two tables in another order of ids.
Classes are imbalanced, so that a swap of classes or files shows.
"""

import csv
import importlib.metadata
import json
import pathlib
import platform
import sys

import numpy as np
from scipy import special
from sklearn import metrics

OUT = pathlib.Path(sys.argv[1])
PACKAGES = ["numpy", "scipy", "scikit-learn"]
VERSIONS = {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES}
CLIP = 1e-7  # kd's log loss keeps probabilities this far from 0 and 1


def table(name, header, rows):
    with open(OUT / name, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def of_binary(truth, p):
    d = p > 0.5
    return {
        "auroc": metrics.roc_auc_score(truth, p),
        "average_precision": metrics.average_precision_score(truth, p),
        "accuracy": metrics.accuracy_score(truth, d),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, d),
        "sensitivity": metrics.recall_score(truth, d),
        "specificity": metrics.recall_score(truth, d, pos_label=0),
        "precision": metrics.precision_score(truth, d),
        "f1": metrics.f1_score(truth, d),
        "mcc": metrics.matthews_corrcoef(truth, d),
        "nll": metrics.log_loss(truth, np.clip(p, CLIP, 1 - CLIP)),
        "brier": metrics.brier_score_loss(truth, p),
    }


def of_classes(truth, p, weights):
    k = p.shape[1]
    d = p.argmax(1)
    return {
        "auroc": metrics.roc_auc_score(truth, p, multi_class="ovr", average="macro"),
        "accuracy": metrics.accuracy_score(truth, d),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, d),
        "f1": metrics.f1_score(truth, d, average="macro"),
        "kappa": metrics.cohen_kappa_score(truth, d, labels=list(range(k)), weights=weights),
        "mcc": metrics.matthews_corrcoef(truth, d),
        "nll": metrics.log_loss(truth, p, labels=list(range(k))),
        "brier": metrics.brier_score_loss(truth, p, labels=list(range(k)), scale_by_half=False),
    }


def binary(rng):
    n = 60
    truth = (rng.random(n) < 0.3).astype(np.int64)
    logits = (rng.normal(-0.7, 1.2, n) + 1.3 * truth).astype(np.float32)
    np.save(OUT / "binary_logits.npy", logits)
    np.save(OUT / "binary_truth.npy", truth[:, None])
    np.save(OUT / "binary_groups.npy", np.array([f"patient {i // 2}" for i in range(n)]))
    return of_binary(truth, special.expit(logits.astype(np.float64))) | {"subjects": n // 2}


def multiclass(rng):
    n, k = 50, 4
    truth = rng.choice(k, n, p=[0.5, 0.25, 0.15, 0.1]).astype(np.uint8)
    p = special.softmax(rng.normal(0, 1, (n, k)) + 1.1 * np.eye(k)[truth], axis=1)
    np.savez_compressed(OUT / "multiclass.npz", probs=np.asfortranarray(p), labels=truth[:, None])
    return of_classes(truth, p, None)


def multilabel(rng):
    n, l = 40, 3
    truth = rng.random((n, l)) < [0.4, 0.25, 0.5]
    logits = (rng.normal(-0.6, 1.2, (n, l)) + 1.4 * truth).astype(">f2")
    np.save(OUT / "multilabel_logits.npy", logits)
    np.save(OUT / "multilabel_truth.npy", truth)
    p = special.expit(logits.astype(np.float64))
    t, d = truth.astype(int), (p > 0.5).astype(int)
    each = [of_binary(t[:, i], p[:, i]) for i in range(l)]
    names = ["auroc", "average_precision", "accuracy", "sensitivity", "specificity", "precision", "f1", "nll", "brier"]
    assert all(d[:, i].any() for i in range(l))
    return {name: float(np.mean([scores[name] for scores in each])) for name in names}


def ordinal(rng):
    n, k = 45, 5
    truth = rng.choice(k, n, p=[0.4, 0.25, 0.15, 0.12, 0.08])
    p = np.round(special.softmax(rng.normal(0, 0.8, (n, k)) - 0.6 * np.abs(np.arange(k) - truth[:, None]), axis=1), 6)
    ids = [f"eye-{i:02}" for i in range(n)]
    table("ordinal_scores.csv", ["id", *(f"score_{c}" for c in range(k))], [[i, *row] for i, row in zip(ids, p)])
    order = rng.permutation(n)
    table("ordinal_truth.csv", ["id", "truth"], [[ids[i], truth[i]] for i in order])
    q = p / p.sum(1, keepdims=True)
    return of_classes(truth, q, "quadratic")


def one_table(rng):
    n = 40
    truth = (rng.random(n) < 0.35).astype(int)
    p = np.round(special.expit(rng.normal(-0.5, 1.0, n) + 1.2 * truth), 4)
    table("binary.csv", ["id", "truth", "score_0"], [[f"s{i}", t, s] for i, (t, s) in enumerate(zip(truth, p))])
    return of_binary(truth, p)


rng = np.random.default_rng(20261123)
cases = {f.__name__: f(rng) for f in (binary, multiclass, multilabel, ordinal, one_table)}
document = {"made_by": "oracles/metrics/make_files.py", "versions": VERSIONS, "clip": CLIP, "cases": cases}
(OUT / "files.json").write_text(json.dumps(document, indent=1, default=lambda x: x.tolist(), allow_nan=False) + "\n")
