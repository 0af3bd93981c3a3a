"""Golden values and gradients of the hard-label losses of segmentation, from PyTorch in float64.

    python3 oracles/segment_losses/make.py > crates/kd-segment/tests/oracle/losses.json

Written point by point from the papers' formulas, not as the crate has them; gradients by autograd with respect to the
logits. The last class is absent from one batch, and masks leave out points of every class. Distances are SciPy's.
"""

import json
import platform

import numpy as np
import scipy
import torch
from scipy.ndimage import distance_transform_edt

ALPHA, BETA = 0.3, 0.7


def overlap_terms(p, t, m):
    """True positives, false positives and false negatives of one class over the batch."""
    p, t, m = p.flatten(), t.flatten(), m.flatten()
    return (m * p * t).sum(), (m * p * (1 - t)).sum(), (m * (1 - p) * t).sum()


def foreground(p, t):
    return range(1, p.shape[1]) if p.shape[1] > 1 else range(1)


def dice(p, t, m, _):
    shown = [c for c in foreground(p, t) if (m[:, 0] * t[:, c]).sum() > 0]
    scores = []
    for c in shown:
        tp, fp, fn = overlap_terms(p[:, c], t[:, c], m[:, 0])
        scores.append(2 * tp / (2 * tp + fp + fn))
    return 1 - sum(scores) / len(scores)


def tversky(p, t, m, _):
    shown = [c for c in foreground(p, t) if (m[:, 0] * t[:, c]).sum() > 0]
    scores = []
    for c in shown:
        tp, fp, fn = overlap_terms(p[:, c], t[:, c], m[:, 0])
        scores.append(tp / (tp + ALPHA * fp + BETA * fn))
    return 1 - sum(scores) / len(scores)


def generalized_dice(p, t, m, _):
    if p.shape[1] == 1:
        p, t = torch.cat([1 - p, p], 1), torch.cat([1 - t, t], 1)
    above, below = 0, 0
    for c in range(p.shape[1]):
        size = (m[:, 0] * t[:, c]).sum()
        if size > 0:
            tp, fp, fn = overlap_terms(p[:, c], t[:, c], m[:, 0])
            above = above + tp / size**2
            below = below + (2 * tp + fp + fn) / size**2
    return 1 - 2 * above / below


def boundary(p, t, m, distances):
    first = 1 if p.shape[1] > 1 else 0
    return (m * p[:, first:] * distances).sum() / (m.sum() * distances.shape[1])


def focal(gamma):
    def loss(p, t, m, _):
        if p.shape[1] == 1:
            p, t = torch.cat([1 - p, p], 1), torch.cat([1 - t, t], 1)
        of_truth = (p * t).sum(1, keepdim=True)
        return (m * -((1 - of_truth) ** gamma) * torch.log(of_truth)).sum() / m.sum()

    return loss


LOSSES = {
    "dice": dice,
    "tversky": tversky,
    "generalized_dice": generalized_dice,
    "boundary": boundary,
    "focal_0": focal(0),
    "focal_2": focal(2),
    "focal_1.5": focal(1.5),
}


def signed(mask, spacing):
    if mask.all() or not mask.any():
        return np.zeros(mask.shape)
    return distance_transform_edt(~mask, spacing) - distance_transform_edt(mask, spacing)


def group(rng, shape, classes, outputs, spacing):
    logits = rng.normal(size=(shape[0], outputs, *shape[1:])) * 2
    labels = rng.integers(0, classes, size=shape)
    # Blobs, so that distances differ.
    labels[:, : shape[1] // 2] = 0
    mask = (rng.random((shape[0], 1, *shape[1:])) > 0.25).astype(float)
    planes = [1] if outputs == 1 else range(outputs)
    truth = np.stack([labels == c for c in planes], 1).astype(float)
    fg = [1] if outputs == 1 else range(1, outputs)
    distances = np.stack([[signed(sample == c, spacing) for c in fg] for sample in labels])
    results = []
    for name, loss in LOSSES.items():
        for masked in (False, True):
            z = torch.tensor(logits, requires_grad=True)
            p = torch.sigmoid(z) if outputs == 1 else torch.softmax(z, 1)
            m = torch.tensor(mask if masked else np.ones_like(mask))
            value = loss(p, torch.tensor(truth), m, torch.tensor(distances))
            value.backward()
            gradient = [float(f"{x:.12g}") for x in z.grad.flatten().tolist()]
            results.append({"loss": name, "masked": masked, "value": value.item(), "gradient": gradient})
    flat = lambda a: a.flatten().tolist()
    return {
        "shape": list(logits.shape),
        "spacing_mm": spacing,
        "logits": flat(logits),
        "labels": flat(labels),
        "mask": flat(mask),
        "distances": flat(distances),
        "results": results,
    }


def main():
    rng = np.random.default_rng(20261126)
    groups = [
        group(rng, (2, 4, 5), 3, 3, [2.0, 0.5]),
        # Four outputs, and nothing of the last class.
        group(rng, (1, 5, 4), 3, 4, [1.0, 1.5]),
        group(rng, (2, 3, 2, 4), 2, 1, [3.0, 1.0, 0.5]),
    ]
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    print(json.dumps({"versions": versions, "alpha": ALPHA, "beta": BETA, "groups": groups}))


if __name__ == "__main__":
    main()
