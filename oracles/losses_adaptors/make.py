"""Makes the golden values of kd-core's adaptors, of its learned temperature and of maps on a tap's grid, with PyTorch.

Run from the repository root: python3 oracles/losses_adaptors/make.py > crates/kd-core/tests/oracle/losses_adaptors.json

An adaptor's value is half the mean square of all that it puts out. Parameters are named as kd-core names them; its
linear weights are [in, out].
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "losses"))
from golden import Golden, numbers, result  # noqa: E402

golden = Golden("oracles/losses_adaptors/make.py", 20210419)


def linear(name, inputs, outputs):
    return {f"{name}.linear.weight": golden.draw([inputs, outputs], 0.5), f"{name}.linear.bias": golden.draw([outputs], 0.5)}


def conv(name, inputs, outputs):
    return {f"{name}.weight": golden.draw([outputs, inputs, 3, 3], 0.5), f"{name}.bias": golden.draw([outputs], 0.5)}


def pointwise(p, name, x):
    weight = p[f"{name}.linear.weight"].T
    return F.conv2d(x, weight[:, :, None, None], p[f"{name}.linear.bias"])


def smooth(p, name, x):
    return F.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding=1)


def half_mean_square(*maps):
    flat = torch.cat([m.flatten() for m in maps])
    return 0.5 * (flat**2).mean()


def review(p, shallow, deep):
    low = pointwise(p, "stages.1.project", deep)
    high = pointwise(p, "stages.0.project", shallow)
    above = F.interpolate(low, shallow.shape[2:], mode="nearest")
    a = torch.sigmoid(pointwise(p, "stages.0.attention", torch.cat([high, above], 1)))
    high = high * a[:, :1] + above * a[:, 1:]
    return half_mean_square(smooth(p, "stages.0.smooth", high), smooth(p, "stages.1.smooth", low))


def adaptor(name, parameters, student, f, **inputs):
    cases = golden.group(name, student=student, **inputs)
    stored = {key: {"shape": list(t.shape), "values": numbers(t)} for key, t in parameters.items()}
    cases.append({"loss": name, "parameters": stored, **result(student, f)})


middle = 3
p = {
    **linear("stages.0.project", 2, middle), **linear("stages.0.attention", 2 * middle, 2), **conv("stages.0.smooth", middle, 4),
    **linear("stages.1.project", 4, middle), **linear("stages.1.attention", 2 * middle, 2), **conv("stages.1.smooth", middle, 5),
}
shallow = golden.draw([2, 2, 7, 6], 1.0)
adaptor("review", p, golden.draw([2, 4, 3, 4], 1.0), lambda deep: review(p, shallow, deep), shallow=shallow)

q = {**linear("align", 2, 4), **conv("first", 4, 4), **conv("second", 4, 4)}
kept = golden.whole([2, 1, 5, 4], 0, 1).double()
adaptor("mgd", q, golden.draw([2, 2, 5, 4], 1.0), lambda s: half_mean_square(smooth(q, "second", F.relu(smooth(q, "first", pointwise(q, "align", s) * kept)))), kept=kept)

r = {**linear("first", 2, 3), **linear("second", 3, 3), **linear("third", 3, 3), "raw_variance": golden.draw([3], 0.5)}
target = golden.draw([2, 3, 4, 3], 1.0)


def vid(s):
    mean = pointwise(r, "third", F.relu(pointwise(r, "second", F.relu(pointwise(r, "first", s)))))
    # At a raw value of 0 the variance is 5, as in the paper's code.
    raw = r["raw_variance"] + torch.log(torch.expm1(torch.tensor(5.0 - 1e-5).double()))
    variance = (F.softplus(raw) + 1e-5)[None, :, None, None].expand_as(mean)
    return F.gaussian_nll_loss(mean, target, variance, full=False, eps=0)


adaptor("vid", r, golden.draw([2, 2, 4, 3], 1.0), vid, teacher=target)

student, teacher = golden.draw([3, 4], 2.0), golden.draw([3, 4], 3.0)
cases = golden.group("curriculum", student=student, teacher=teacher)
for theta, reversal in ((1.0, 1.0), (-0.5, 0.25)):
    t = torch.tensor(theta, dtype=torch.float64, requires_grad=True)

    def ctkd(s):
        tau = 1 + 20 * torch.sigmoid(t)
        return tau**2 * F.kl_div(F.log_softmax(s / tau, 1), F.log_softmax(teacher / tau, 1), log_target=True, reduction="batchmean")

    (slope,) = torch.autograd.grad(ctkd(student), t)
    cases.append({"loss": "curriculum", "theta": theta, "reversal": reversal, "theta_grad": -reversal * float(slope), **result(student, ctkd)})


def cells(x, grid):
    """Exact area means: each pixel repeated once for each cell, then averaged in runs of the number of pixels."""
    for axis, n in enumerate(grid, start=2):
        pixels = x.shape[axis]
        x = x.repeat_interleave(n, axis).unflatten(axis, (n, pixels)).mean(axis + 1)
    return x


def one_class(labels, classes, grid, share):
    labelled = (labels >= 0).double()
    areas = torch.cat([cells((labels == c) * labelled, grid) for c in range(classes)], 1)
    out = torch.zeros([len(labels), 1, *grid], dtype=torch.int64)
    for place in torch.cartesian_prod(torch.arange(len(labels)), *(torch.arange(n) for n in grid)).tolist():
        image, *at = place
        area = [round(float(areas[(image, c, *at)]), 9) for c in range(classes)]
        if sum(area) == 0:
            out[(image, 0, *at)] = -1
        elif sum(area[1:]) >= share * sum(area) - 1e-9:
            out[(image, 0, *at)] = 1 + area[1:].index(max(area[1:]))
    return out


mask, labels = golden.whole([2, 1, 7, 6], 0, 2), golden.whole([2, 1, 7, 6], -1, 3)
labels[0, 0, :3, :3] = -1
cases = golden.group("grid", student=mask.double(), labels=labels)
for grid in ([7, 6], [3, 2], [5, 4], [1, 1]):
    cases.append({"grid": grid, "mask": numbers(cells(mask.double(), grid)), "labels": {str(share): numbers(one_class(labels, 4, grid, share)) for share in (0.05, 0.5, 0.9)}})

golden.print()
