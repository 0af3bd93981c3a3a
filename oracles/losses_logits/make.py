"""Makes the golden values of kd-core's later logit losses with PyTorch.

Run from the repository root: python3 oracles/losses_logits/make.py > crates/kd-core/tests/oracle/losses_logits.json

Formulas are written from the papers, one row per valid position; see oracles/losses/golden.py for masks.
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "losses"))
from golden import Golden, copies, result  # noqa: E402


def kl(s, t):
    return F.kl_div(F.log_softmax(s, 1), F.log_softmax(t, 1), log_target=True, reduction="none").sum(1)


def other_columns(z, y):
    """Each row without the column of its label."""
    keep = torch.ones_like(z, dtype=torch.bool).scatter_(1, y[:, None], False)
    return z[keep].reshape(len(z), -1)


def two_way(z, y):
    """Logits of (target, all others together): the others' logit is their log-sum-exp."""
    return torch.stack([z.gather(1, y[:, None])[:, 0], torch.logsumexp(other_columns(z, y), 1)], 1)


def dkd(s, t, y, temperature, alpha, beta):
    s, t = s / temperature, t / temperature
    tckd = kl(two_way(s, y), two_way(t, y)).mean()
    nckd = kl(other_columns(s, y), other_columns(t, y)).mean()
    return temperature**2 * (alpha * tckd + beta * nckd)


def nkd(s, t, y, temperature, gamma):
    target = -(F.softmax(t, 1) * F.log_softmax(s, 1)).gather(1, y[:, None]).mean()
    s, t = other_columns(s, y) / temperature, other_columns(t, y) / temperature
    return target - gamma * temperature**2 * (F.softmax(t, 1) * F.log_softmax(s, 1)).sum(1).mean()


def rho(a, b):
    return F.cosine_similarity(a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True), dim=1)


def dist(s, t, temperature, inter, intra, sigmoid=False):
    p = torch.sigmoid if sigmoid else lambda z: F.softmax(z, 1)
    s, t = p(s / temperature), p(t / temperature)
    value = intra * (1 - rho(s.T, t.T)).mean()
    if inter:
        value = value + inter * (1 - rho(s, t)).mean()
    return temperature**2 * value


def multi_level(s, t, lowest, highest):
    value = 0
    for tau in range(lowest, highest + 1):
        ps, pt = F.softmax(s / tau, 1), F.softmax(t / tau, 1)
        value = value + tau**2 * kl(s / tau, t / tau).mean()
        value = value + ((ps @ ps.T - pt @ pt.T) ** 2).sum() / len(s)
        value = value + ((ps.T @ ps - pt.T @ pt) ** 2).sum() / s.shape[1]
    return value


def virtual_teacher(s, y, temperature, probability):
    made_up = torch.full_like(s.detach(), (1 - probability) / (s.shape[1] - 1)).scatter_(1, y[:, None], probability)
    return temperature**2 * kl(s / temperature, made_up.log() / temperature).mean()


def standardized(z):
    return (z - z.mean(1, keepdim=True)) / z.std(1, keepdim=True)


def adaptive(s, t, certainty, lowest, highest):
    p, k = F.softmax(t, 1), t.shape[1]
    if certainty == "entropy":
        c = 1 - torch.distributions.Categorical(p).entropy() / math.log(k)
    else:
        c = (p.max(1).values - 1 / k) / (1 - 1 / k)
    tau = lowest + (highest - lowest) * c[:, None]
    return (tau[:, 0] ** 2 * kl(s / tau, t / tau)).mean()


def scheduled(s, t, start, end, epochs, shape, epoch):
    progress = min(epoch / (epochs - 1), 1)
    if shape == "cosine":
        progress = (1 - math.cos(math.pi * progress)) / 2
    tau = start + (end - start) * progress
    return tau**2 * kl(s / tau, t / tau).mean()


def channel_wise(s, t, weight, temperature):
    """Maps, image by image: the softmax runs over the pixels of one image."""
    images = []
    for image_s, image_t, w in zip(s, t, weight):
        if w.sum() == 0:
            continue
        row_s, row_t = copies(image_s[None], w) / temperature, copies(image_t[None], w) / temperature
        images.append(temperature**2 / s.shape[1] * kl(row_s.T, row_t.T).sum())
    return torch.stack(images).mean()


def boundary_weights(labels, valid, radius, factor):
    """By brute force over pairs of positions."""
    flat = torch.ones(valid.shape)
    for image in range(len(labels)):
        where = torch.nonzero(valid[image, 0])
        for a in where:
            near = [b for b in where if (a - b).abs().max() <= radius]
            if any(labels[image, 0][tuple(b)] != labels[image, 0][tuple(a)] for b in near):
                flat[(image, 0, *a)] = factor
    return flat


golden = Golden("oracles/losses_logits/make.py", 20220316)
SHAPES = {"pooled": [6, 5], "dense": [2, 4, 3, 4], "volume": [2, 3, 2, 3, 2], "two classes": [6, 2], "one channel": [2, 1, 3, 3], "extreme": [6, 3]}

for name, shape in SHAPES.items():
    student, teacher = golden.draw(shape, 2.0), golden.draw(shape, 3.0)
    if name == "extreme":
        student = torch.tensor([[1e4, -1e4, 0], [-1e4, 1e4, 0], [0, 0, 0], [1e4, 1e4, -1e4], [3, -2, 1], [-1e4, 0, 1e4]]).double()
        teacher = torch.tensor([[-1e4, 1e4, 0], [-1e4, 1e4, 0], [1e4, 0, -1e4], [1e4, -1e4, 1e4], [1e4, -1e4, 1], [1, 2, 4]]).double()
    position = [shape[0], 1] + shape[2:]
    weight = golden.whole(position, 0, 2)
    weight.reshape(-1)[0], weight.reshape(-1)[-1] = 2, 0
    classes = max(shape[1], 2)
    labels = golden.whole(position, 0, classes - 1)
    if name != "extreme":
        labels.reshape(-1)[3] = -1
    cases = golden.group(name, student=student, teacher=teacher, mask=weight, labels=labels)
    for masked in (False, True):
        everywhere = weight if masked else torch.ones_like(weight)
        labelled = everywhere * (labels >= 0)

        def add(loss, parameters, f, w=everywhere, **extra):
            """f takes rows of student and teacher, and labels."""
            y = labels.reshape(-1).clamp_min(0).repeat_interleave(w.reshape(-1))
            run = lambda s: f(copies(s, w), copies(teacher, w), y)  # noqa: E731
            cases.append({"loss": loss, "parameters": parameters, "masked": masked, **extra, **result(student, run)})

        for tau in (1.0, 4.0):
            if shape[1] > 2:
                p = {"temperature": tau, "alpha": 1.5, "beta": 8.0}
                add("dkd", p, lambda s, t, y: dkd(s, t, y, **p), labelled)
                p2 = {"temperature": tau, "gamma": 1.5}
                add("nkd", p2, lambda s, t, y: nkd(s, t, y, **p2), labelled)
            if shape[1] > 1:
                p3 = {"temperature": tau, "probability": 0.9}
                add("virtual-teacher", p3, lambda s, t, y: virtual_teacher(s, y, **p3), labelled)
            if name == "extreme":
                continue
            p4 = {"temperature": tau, "inter": 2.0 if shape[1] > 2 else 0.0, "intra": 1.5}
            add("dist", p4, lambda s, t, y: dist(s, t, **p4, sigmoid=shape[1] == 1))
            if shape[1] > 2:
                add("hinton", {"temperature": tau, "standardize": True}, lambda s, t, y: tau**2 * kl(standardized(s) / tau, standardized(t) / tau).mean())
                p5 = {"temperature": tau, "alpha": 1.0, "beta": 2.0}
                add("dkd", {**p5, "standardize": True}, lambda s, t, y: dkd(standardized(s), standardized(t), y, **p5), labelled)
            if len(shape) > 2:
                run = lambda s: channel_wise(s, teacher, everywhere, tau)  # noqa: E731
                cases.append({"loss": "channel-wise", "parameters": {"temperature": tau}, "masked": masked, **result(student, run)})
        if name == "extreme":
            continue
        if len(shape) == 2 and shape[1] > 1:
            p6 = {"lowest": 2, "highest": 4}
            add("multi-level", p6, lambda s, t, y: multi_level(s, t, **p6))
        if shape[1] > 1:
            for certainty in ("entropy", "confidence"):
                p7 = {"certainty": certainty, "lowest": 1.5, "highest": 6.0}
                add("adaptive-hinton", p7, lambda s, t, y: adaptive(s, t, **p7))
            for form, epoch in (("linear", 1), ("cosine", 2), ("cosine", 9)):
                p8 = {"start": 8.0, "end": 2.0, "epochs": 5, "shape": form}
                add("scheduled-hinton", p8, lambda s, t, y: scheduled(s, t, **p8, epoch=epoch), epoch=epoch)

        def weighted(loss, parameters, per_row, factors):
            """A mean over rows that count by factors, of the shape of the labels."""
            def f(s):
                w = (labelled * factors).reshape(-1)
                rows = lambda t: t.movedim(1, -1).reshape(-1, t.shape[1])  # noqa: E731
                return (w * per_row(rows(s), rows(teacher))).sum() / w.sum()
            cases.append({"loss": loss, "parameters": parameters, "masked": masked, **result(student, f)})

        def bernoulli(s, t):
            pairs = lambda z: torch.cat([z / 2, torch.zeros_like(z)], 1)  # noqa: E731
            return 4 * kl(pairs(s), pairs(t))

        loss, per_row = ("bernoulli", bernoulli) if shape[1] == 1 else ("hinton", lambda s, t: 4 * kl(s / 2, t / 2))
        for pixels, grouped in (("class-balanced", labels), ("foreground-balanced", labels.clamp_max(1))):
            factors = torch.zeros(labels.shape, dtype=torch.float64)
            for c in range(classes):
                mass = (labelled * (grouped == c)).sum()
                if mass > 0:
                    factors[grouped == c] = 1 / float(mass)
            weighted(loss, {"temperature": 2.0, "pixels": pixels}, per_row, factors)
        if len(shape) > 2:
            factors = boundary_weights(labels, labelled > 0, 1, 4.0)
            weighted("boundary", {"temperature": 2.0, "radius": 1, "factor": 4.0}, per_row, factors)

golden.print()
