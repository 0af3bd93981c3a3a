"""Makes the golden values of kd-core's losses between images with PyTorch.

Run from the repository root: python3 oracles/losses_images/make.py > crates/kd-core/tests/oracle/losses_images.json

Structural similarity is checked against scikit-image while the values are made. See oracles/losses/golden.py for masks,
which hold 0 and 1 here.
"""

import sys
from pathlib import Path

import numpy as np
import skimage
import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "losses"))
from golden import Golden, copies, result  # noqa: E402


def l1(s, t, w):
    return (copies(s, w) - copies(t, w)).abs().sum(1).mean()


def mse(s, t, w):
    return ((copies(s, w) - copies(t, w)) ** 2).sum(1).mean()


def charbonnier(s, t, w):
    return torch.sqrt((copies(s, w) - copies(t, w)) ** 2 + 0.25**2).sum(1).mean()


def gradient(s, t, w):
    gaps = []
    for axis in range(2, s.dim()):
        n = s.shape[axis]
        both = w.narrow(axis, 0, n - 1) * w.narrow(axis, 1, n - 1)
        gaps.append(copies(torch.diff(s, dim=axis) - torch.diff(t, dim=axis), both).abs().sum(1))
    return torch.cat(gaps).mean()


def frequency(s, t, w):
    f = torch.fft.fftn((s - t) * w, dim=tuple(range(2, s.dim())))
    return torch.view_as_real(f).abs().mean()


def ssim(size, sigma):
    def loss(s, t, w):
        x = torch.arange(size).double() - size // 2
        g = torch.exp(-(x**2) / (2 * sigma**2))
        g = g / g.sum()
        c, space = s.shape[1], s.dim() - 2
        kernel = g
        for _ in range(space - 1):
            kernel = kernel[..., None] * g
        conv = F.conv2d if space == 2 else F.conv3d
        blur = lambda z: conv(z, kernel.expand(c, 1, *kernel.shape), groups=c)  # noqa: E731
        mx, my = blur(s), blur(t)
        vx, vy, cov = blur(s * s) - mx**2, blur(t * t) - my**2, blur(s * t) - mx * my
        value = (2 * mx * my + (0.01 * 4) ** 2) * (2 * cov + (0.03 * 4) ** 2)
        value = value / ((mx**2 + my**2 + (0.01 * 4) ** 2) * (vx + vy + (0.03 * 4) ** 2))
        whole = conv(w.double(), torch.ones(1, 1, *kernel.shape).double()).round() == size**space
        return copies(1 - value, whole.long()).mean()
    return loss


LOSSES = {"l1": l1, "mse": mse, "charbonnier": charbonnier, "gradient": gradient, "frequency": frequency, "ssim-5": ssim(5, 1.2)}
golden = Golden("oracles/losses_images/make.py", 20040413)
golden.made_by["skimage"] = skimage.__version__
for name, shape in (("image", [2, 2, 9, 8]), ("volume", [1, 1, 6, 5, 7])):
    student, teacher = golden.draw(shape, 1.0), golden.draw(shape, 1.0)
    mask = torch.ones([shape[0], 1] + shape[2:], dtype=torch.int64)
    mask.reshape(-1)[0], mask.reshape(-1)[-1] = 0, 0
    cases = golden.group(name, student=student, teacher=teacher, mask=mask)
    for masked in (False, True):
        w = mask if masked else torch.ones_like(mask)
        for loss, f in LOSSES.items():
            cases.append({"loss": loss, "masked": masked, **result(student, lambda s: f(s, teacher, w))})

# scikit-image's window is 2·int(truncate·σ + 0.5) + 1 with truncate 3.5: 11 for σ 1.5.
a, b = (golden.draw([1, 1, 16, 17], 1.0) for _ in range(2))
ours = 1 - float(ssim(11, 1.5)(a, b, torch.ones_like(a).long()))
_, full = structural_similarity(a[0, 0].numpy(), b[0, 0].numpy(), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=4.0, full=True)
inner = float(np.mean(full[5:-5, 5:-5]))
assert abs(ours - inner) < 1e-12, (ours, inner)
cases = golden.group("scikit-image", student=a, teacher=b)
cases.append({"loss": "ssim-11", "masked": False, **result(a, lambda s: ssim(11, 1.5)(s, b, torch.ones_like(a).long())), "value": 1 - inner})

golden.print()
