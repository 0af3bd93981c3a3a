"""Makes the golden values of kd-core's losses with PyTorch.

Run from the repository root: python3 oracles/losses/make.py > crates/kd-core/tests/oracle/losses.json

Everything is computed in float64, values and gradients with respect to the student's logits. Inputs come from Python's
own generator (seed in the file) and are multiples of 1/64, which float32 holds exactly. The reductions (sum over
classes, mean over valid positions, times the squared temperature) are written here with boolean indexing, not as the
crate writes them.
"""

import json
import platform
import random
import sys

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, kl_divergence

SEED = 20150309
TEMPERATURES = [1.0, 2.0, 4.0, 10.0]
SHAPES = {
    "pooled": [5, 4],
    "two_classes": [6, 2],
    "one_channel": [7, 1],
    "rank4": [2, 3, 4, 5],
    "rank5": [2, 4, 2, 3, 2],
    "rank3": [3, 2, 5],
    "extreme": [6, 3],
}
rng = random.Random(SEED)


def numel(shape):
    n = 1
    for s in shape:
        n *= s
    return n


def draw(shape, spread):
    return torch.tensor([round(rng.gauss(0, spread) * 64) / 64 for _ in range(numel(shape))], dtype=torch.float64).reshape(shape)


def bits(shape, p):
    return torch.tensor([float(rng.random() < p) for _ in range(numel(shape))], dtype=torch.float64).reshape(shape)


def flat(t):
    return [float(f"{v:.12g}") for v in t.detach().reshape(-1).tolist()]


def result(student, f):
    s = student.clone().requires_grad_(True)
    value = f(s)
    (grad,) = torch.autograd.grad(value, s)
    assert torch.isfinite(value) and torch.isfinite(grad).all()
    return {"value": float(f"{float(value):.12g}"), "grad": flat(grad)}


def valid_mean(per_position, mask):
    """per_position [batch, ...spatial], mask [batch, 1, ...spatial] or None"""
    return per_position.mean() if mask is None else per_position[mask[:, 0] > 0].mean()


def hinton(s, t, tau, mask):
    kl = F.kl_div(F.log_softmax(s / tau, 1), F.log_softmax(t / tau, 1), log_target=True, reduction="none").sum(1)
    return tau**2 * valid_mean(kl, mask)


def soft_cross_entropy(s, t, tau, mask):
    return tau**2 * valid_mean(F.cross_entropy(s / tau, F.softmax(t / tau, 1), reduction="none"), mask)


def bernoulli(s, t, tau, mask):
    kl = kl_divergence(Bernoulli(logits=t / tau), Bernoulli(logits=s / tau)).sum(1)
    return tau**2 * valid_mean(kl, mask)


def logit_mse(s, t, centered, mask):
    if centered:
        s, t = s - s.mean(1, keepdim=True), t - t.mean(1, keepdim=True)
    return valid_mean(0.5 * F.mse_loss(s, t, reduction="none").sum(1), mask)


def distillation():
    groups = []
    for name, shape in SHAPES.items():
        if name == "extreme":
            student = torch.tensor([[1e4, -1e4, 0], [-1e4, 1e4, 0], [0, 0, 0], [1e4, 1e4, -1e4], [3, -2, 1], [-1e4, 0, 1e4]]).double()
            teacher = torch.tensor([[-1e4, 1e4, 0], [-1e4, 1e4, 0], [1e4, 0, -1e4], [1e4, -1e4, 1e4], [1e4, -1e4, 1], [1, 2, 4]]).double()
        else:
            student, teacher = draw(shape, 2.0), draw(shape, 3.0)
        mask_shape = [shape[0], 1] + shape[2:]
        mask = bits(mask_shape, 0.6)
        mask.reshape(-1)[0], mask.reshape(-1)[-1] = 1.0, 0.0
        results = []
        for masked in (False, True):
            m = mask if masked else None
            for tau in TEMPERATURES:
                losses = {"bernoulli": bernoulli}
                if shape[1] > 1:
                    losses |= {"hinton": hinton, "soft-cross-entropy": soft_cross_entropy}
                for loss, f in losses.items():
                    if loss == "bernoulli" and name == "extreme":
                        # torch replaces this divergence by infinity where a probability rounds to 0 or 1; the same
                        # quantity as cross-entropy minus the teacher's entropy stays finite.
                        f = bernoulli_by_entropy
                    results.append({"loss": loss, "temperature": tau, "masked": masked, **result(student, lambda s: f(s, teacher, tau, m))})
            for centered in (False, True):
                if shape[1] > 1 or not centered:
                    results.append({"loss": "logit-mse", "centered": centered, "masked": masked, **result(student, lambda s: logit_mse(s, teacher, centered, m))})
        groups.append({"name": name, "shape": shape, "student": flat(student), "teacher": flat(teacher), "mask": flat(mask), "results": results})
    return groups


def bernoulli_by_entropy(s, t, tau, mask):
    q = torch.sigmoid(t / tau)
    cross = F.binary_cross_entropy_with_logits(s / tau, q, reduction="none")
    entropy = F.binary_cross_entropy_with_logits(t / tau, q, reduction="none")
    return tau**2 * valid_mean((cross - entropy).sum(1), mask)


def cross_entropy():
    cases = []
    for shape in ([6, 4], [2, 3, 3, 4], [2, 3, 2, 2, 3]):
        logits = draw(shape, 2.0)
        spatial = [shape[0]] + shape[2:]
        labels = torch.tensor([rng.randrange(shape[1]) for _ in range(numel(spatial))]).reshape(spatial)
        mask = bits(spatial, 0.6)
        mask.reshape(-1)[0], mask.reshape(-1)[-1] = 1.0, 0.0
        weights = [round(rng.uniform(0.25, 4) * 64) / 64 for _ in range(shape[1])]
        for weighted in (False, True):
            for smoothing in (0.0, 0.1):
                for masked in (False, True):
                    target = torch.where(mask > 0, labels, torch.tensor(-100)) if masked else labels
                    w = torch.tensor(weights).double() if weighted else None
                    cases.append({
                        "shape": shape, "logits": flat(logits), "labels": labels.reshape(-1).tolist(),
                        "mask": flat(mask) if masked else None, "class_weights": weights if weighted else None,
                        "label_smoothing": smoothing,
                        **result(logits, lambda s: F.cross_entropy(s, target, weight=w, label_smoothing=smoothing, ignore_index=-100)),
                    })
    return cases


def binary_cross_entropy():
    cases = []
    for shape in ([6, 1], [5, 4], [2, 3, 3, 4]):
        logits, targets = draw(shape, 2.0), bits(shape, 0.4)
        mask = bits([shape[0], 1] + shape[2:], 0.6)
        mask.reshape(-1)[0], mask.reshape(-1)[-1] = 1.0, 0.0
        weights = [round(rng.uniform(0.25, 4) * 64) / 64 for _ in range(shape[1])]
        for weighted in (False, True):
            for smoothing in (0.0, 0.1):
                for masked in (False, True):
                    y = targets * (1 - smoothing) + smoothing / 2
                    w = torch.tensor(weights).double().reshape([-1] + [1] * (len(shape) - 2)) if weighted else None
                    m = mask if masked else None
                    cases.append({
                        "shape": shape, "logits": flat(logits), "targets": flat(targets),
                        "mask": flat(mask) if masked else None, "positive_weights": weights if weighted else None,
                        "label_smoothing": smoothing,
                        **result(logits, lambda s: valid_mean(F.binary_cross_entropy_with_logits(s, y, pos_weight=w, reduction="none").sum(1), m)),
                    })
    return cases


json.dump(
    {
        "made_by": {"script": "oracles/losses/make.py", "torch": torch.__version__, "python": platform.python_version(), "seed": SEED, "dtype": "float64"},
        "distillation": distillation(),
        "cross_entropy": cross_entropy(),
        "binary_cross_entropy": binary_cross_entropy(),
    },
    sys.stdout,
)
print()
