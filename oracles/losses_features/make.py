"""Makes the golden values of kd-core's feature losses with PyTorch.

Run from the repository root: python3 oracles/losses_features/make.py > crates/kd-core/tests/oracle/losses_features.json

Written from the papers as loops over images, classes and pairs; see oracles/losses/golden.py for masks, which hold 0
and 1 here.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "losses"))
from golden import Golden, copies, result  # noqa: E402


def rows(image, w):
    """Valid positions of one image [channel, ...spatial] as [position, channel]."""
    return copies(image[None], w)


def per_image(f):
    """Mean over images with a valid position of f(rows of student, rows of teacher)."""
    def loss(s, t, w, y):
        kept = [f(rows(a, m), rows(b, m)) for a, b, m in zip(s, t, w) if m.sum() > 0]
        return torch.stack(kept).mean()
    return loss


def attention(p):
    q = lambda r: F.normalize((r.abs() ** p).mean(1), dim=0)  # noqa: E731
    return per_image(lambda a, b: ((q(a) - q(b)) ** 2).sum())


def masked_vectors(x, w):
    """One vector per sample that has a valid position, masked positions 0."""
    keep = w.flatten(1).sum(1) > 0
    return (x * w).flatten(1)[keep]


def similarity(s, t, w, y):
    g = lambda a: F.normalize(a @ a.T, dim=1)  # noqa: E731
    a, b = masked_vectors(s, w), masked_vectors(t, w)
    return ((g(a) - g(b)) ** 2).sum() / len(a) ** 2


def distance(s, t, w, y):
    def relative(x):
        n = len(x)
        d = torch.stack([torch.stack([(x[i] - x[j]).norm() if i != j else x.sum() * 0 for j in range(n)]) for i in range(n)])
        return d / (d.sum() / (n * (n - 1)))
    return F.smooth_l1_loss(relative(masked_vectors(s, w)), relative(masked_vectors(t, w)))


def angle(s, t, w, y):
    def cosines(x):
        n, out = len(x), []
        for j in range(n):
            for i in range(n):
                for k in range(n):
                    out.append(F.cosine_similarity(x[i] - x[j], x[k] - x[j], dim=0) if i != j and k != j else x.sum() * 0)
        return torch.stack(out)
    return F.smooth_l1_loss(cosines(masked_vectors(s, w)), cosines(masked_vectors(t, w)))


def pkd(s, t, w, y):
    a, b = copies(s, w), copies(t, w)
    z = lambda r: (r - r.mean(0)) / r.std(0, unbiased=False)  # noqa: E731
    return 0.5 * F.mse_loss(z(a), z(b))


def grid(image, w, per_axis):
    """Means over adaptive bins of valid positions: [node, channel]."""
    pool = lambda x: F.adaptive_avg_pool2d(x[None], [min(per_axis, n) for n in x.shape[-2:]])[0]  # noqa: E731
    share = pool(w.double())
    means = pool(image * w) / torch.where(share > 0, share, 1)
    return means.flatten(1).T[share.flatten() > 0]


def affinity(norm, per_axis):
    def loss(s, t, w, y):
        kept = []
        for a, b, m in zip(s, t, w):
            if m.sum() == 0:
                continue
            a, b = (F.normalize(grid(x, m, per_axis), dim=1) for x in (a, b))
            gap = a @ a.T - b @ b.T
            kept.append((gap**2 if norm == "squared" else gap.abs()).mean())
        return torch.stack(kept).mean()
    return loss


def ifvd(s, t, w, y):
    def closeness(x):
        out = []
        for image, m, label in zip(x, w, y):
            r, k = rows(image, m), label.flatten()[m.flatten() > 0]
            prototypes = {int(c): r[k == c].mean(0) for c in k.unique()}
            out += [F.cosine_similarity(v, prototypes[int(c)], dim=0) for v, c in zip(r, k)]
        return torch.stack(out)
    return ((closeness(s) - closeness(t)) ** 2).mean()


def region(s, t, w, y):
    gaps = []
    for a, b, m, label in zip(s, t, w, y):
        k = label.flatten()[m.flatten() > 0]
        present = k.unique().tolist()
        for i, c in enumerate(present):
            for d in present[i + 1:]:
                cos = [F.cosine_similarity(rows(x, m)[k == c].mean(0), rows(x, m)[k == d].mean(0), dim=0) for x in (a, b)]
                gaps.append((cos[0] - cos[1]) ** 2)
    return torch.stack(gaps).mean()


def cross_image(tau, per_axis):
    def loss(s, t, w, y):
        ns = [F.normalize(grid(a, m, per_axis), dim=1) for a, m in zip(s, w) if m.sum() > 0]
        nt = [F.normalize(grid(a, m, per_axis), dim=1) for a, m in zip(t, w) if m.sum() > 0]
        parts = []
        for i in range(len(ns)):
            for j in range(len(ns)):
                log_s, log_t = F.log_softmax(ns[i] @ ns[j].T / tau, 1), F.log_softmax(nt[i] @ nt[j].T / tau, 1)
                parts.append(F.kl_div(log_s, log_t, log_target=True, reduction="batchmean"))
        return torch.stack(parts).mean()
    return loss


def hcl(s, t, w, y):
    value, total, share = 0.0, 0.0, 1.0
    for level in (None, 4, 2, 1):
        if level is not None and level >= min(s.shape[2:]):
            continue
        if level is None:
            a, b = copies(s, w), copies(t, w)
        else:
            share /= 2
            a, b = (torch.cat([grid(x, m, level) for x, m in zip(z, w)]) for z in (s, t))
        value, total = value + share * F.mse_loss(a, b), total + share
    return value / total


def contrast(tau):
    def loss(s, t, w, y):
        a, b = F.normalize(masked_vectors(s, w), dim=1), F.normalize(masked_vectors(t, w), dim=1)
        logits, own = a @ b.T / tau, torch.arange(len(a))
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    return loss


def vid(s, t, w, y):
    variance = torch.tensor([0.5, 1.0, 2.0, 4.0, 0.25][: s.shape[1]]).double()
    a, b = copies(s, w), copies(t, w)
    return F.gaussian_nll_loss(a, b, variance.expand_as(a), full=False, eps=0)


LOSSES = {
    "hint": per_image(lambda a, b: 0.5 * ((a - b) ** 2).sum()),
    "mgd": per_image(lambda a, b: ((a - b) ** 2).sum()),
    "attention-2": attention(2),
    "attention-4": attention(4),
    "similarity-preserving": similarity,
    "relation-distance": distance,
    "relation-angle": angle,
    "pkd": pkd,
    "affinity-squared-2": affinity("squared", 2),
    "affinity-absolute-8": affinity("absolute", 8),
    "ifvd": ifvd,
    "region-affinity": region,
    "cross-image": cross_image(0.5, 3),
    "hierarchical-context": hcl,
    "in-batch-contrast": contrast(0.2),
    "vid": vid,
}
SAME_CHANNELS = {"hint", "mgd", "pkd", "hierarchical-context", "in-batch-contrast", "vid"}
golden = Golden("oracles/losses_features/make.py", 20190409)
for name, channels, teacher_channels in (("equal channels", 3, 3), ("more channels", 2, 4)):
    shape = [4, channels, 5, 6]
    student, teacher = golden.draw(shape, 1.0), golden.draw([4, teacher_channels, 5, 6], 1.5)
    weight = golden.whole([4, 1, 5, 6], 0, 2).clamp_max(1)
    weight[2] = 0
    labels = golden.whole([4, 1, 5, 6], 0, 2)
    cases = golden.group(name, student=student, teacher=teacher, mask=weight, labels=labels)
    for masked in (False, True):
        w = weight if masked else torch.ones_like(weight)
        for loss, f in LOSSES.items():
            if channels != teacher_channels and loss in SAME_CHANNELS:
                continue
            cases.append({"loss": loss, "masked": masked, **result(student, lambda s: f(s, teacher, w, labels))})

golden.print()
