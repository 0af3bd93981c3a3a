"""Volumes resampled by SimpleITK and SciPy, and turned by nibabel, between grids of every kind.

    cargo xtask oracle run geometry > crates/kd-image/tests/oracle/geometry.json

Arrays are [depth, rows, columns]; affines map (column, row, slice) to RAS mm, and SimpleITK's LPS is mirrored here.
SimpleITK gives what lies outside (a value) and where axes cross. SciPy gives the Gaussian before shrinking and what
lies at the edges; its places come from the affines by numpy. A cubic B-spline in the half voxel beyond the outermost
points is mirrored by SimpleITK and not by kd, so those points are left out ("compared").
"""

import json

import nibabel as nib
import numpy as np
import scipy
import SimpleITK as sitk
from scipy import ndimage

SEED = 23
rng = np.random.default_rng(SEED)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
OUTSIDE = -77.0


def rotation(x, y, z):
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return rz @ ry @ rx


def affine_of(directions, steps, origin):
    affine = np.eye(4)
    affine[:3, :3] = directions @ np.diag(steps)
    affine[:3, 3] = origin
    return affine


def itk_image(array, affine):
    image = sitk.GetImageFromArray(array)
    return placed(image, affine)


def placed(image, affine):
    affine = LPS @ affine
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(steps.tolist())
    image.SetDirection((affine[:3, :3] / steps).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def places(shape, source, target):
    """Source indices (slice, row, column) of every target point."""
    back = np.linalg.inv(source) @ target
    k, j, i = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    points = np.stack([i, j, k, np.ones_like(i)]).reshape(4, -1)
    return (back @ points)[2::-1].reshape(3, *shape), back


def grid(shape, affine):
    return {"shape": list(shape), "affine": affine.tolist()}


def texture(shape):
    """Noise on a slope: no symmetry, no plateau."""
    k, j, i = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    return (rng.normal(size=shape) * 40 + 7.0 * i - 11.0 * j + 5.0 * k).astype(np.float32)


def short(array):
    """Nine digits: more than a 32-bit float has."""
    return [float(f"{v:.9g}") for v in np.ravel(array)]


cases = []
SOURCE_SHAPE = (6, 9, 7)
SOURCE = texture(SOURCE_SHAPE)
AXIAL = affine_of(np.diag([-1.0, -1.0, 1.0]), [0.8, 0.7, 2.5], [11.0, 9.0, -20.0])
OBLIQUE = affine_of(rotation(0.3, -0.2, 0.5), [0.8, 0.7, 2.5], [-4.0, 3.0, -6.0])

# Directions of columns, rows and slices of a sagittal stack.
SAGITTAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
centre = (AXIAL @ [3.0, 4.0, 2.5, 1])[:3]


def around(point, directions, steps, shape):
    """The affine of a grid whose middle lies at a point."""
    middle = (np.array(shape[::-1]) - 1) / 2
    return affine_of(directions, steps, point - directions @ np.diag(steps) @ middle)


targets = {
    "finer": (AXIAL, around(centre + [0.11, 0.07, 0.3], np.diag([-1.0, -1, 1]), [0.5, 0.45, 1.1], (9, 11, 10)), (9, 11, 10)),
    "mirrored": (AXIAL, around(centre + [0.13, -0.2, 0.4], np.diag([1.0, 1, -1]), [0.7, 0.9, 2.0], (7, 8, 9)), (7, 8, 9)),
    "sagittal": (AXIAL, around(centre + [0.2, 0.1, -0.3], SAGITTAL, [0.9, 1.7, 0.6], (8, 7, 9)), (8, 7, 9)),
    "crossing": (AXIAL, around(centre + [0.2, 0.1, -0.3], rotation(0.4, 0.3, -0.6), [0.6, 0.9, 1.4], (7, 8, 9)), (7, 8, 9)),
    "oblique-both": (OBLIQUE, around((OBLIQUE @ [3.0, 4.0, 2.5, 1])[:3], rotation(-0.5, 0.1, 0.2), [0.7, 0.8, 1.9], (6, 8, 7)), (6, 8, 7)),
    "oblique-parallel": (OBLIQUE, around((OBLIQUE @ [3.1, 4.07, 2.4, 1])[:3], rotation(0.3, -0.2, 0.5), [0.5, 0.9, 1.7], (7, 8, 9)), (7, 8, 9)),
}
for name, (source_affine, target_affine, shape) in targets.items():
    for word, kind in [("nearest", sitk.sitkNearestNeighbor), ("linear", sitk.sitkLinear), ("cubic", sitk.sitkBSpline)]:
        reference = placed(sitk.Image([int(n) for n in shape[::-1]], sitk.sitkFloat64), target_affine)
        image = itk_image(SOURCE.astype(np.float64), source_affine)
        result = sitk.Resample(image, reference, sitk.Transform(), kind, OUTSIDE, sitk.sitkFloat64)
        where, _ = places(shape, source_affine, target_affine)
        limits = np.array(SOURCE_SHAPE).reshape(3, 1, 1, 1)
        within = ((where >= 0) & (where <= limits - 1)).all(axis=0)
        far = ((where < -0.5) | (where > limits - 0.5)).any(axis=0)
        compared = within | far if word == "cubic" else np.ones(shape, bool)
        cases.append({
            "name": f"{name}-{word}", "from": grid(SOURCE_SHAPE, source_affine), "to": grid(shape, target_affine),
            "interpolation": word, "shrinking": "plain", "outside": OUTSIDE,
            "expected": short(sitk.GetArrayFromImage(result)),
            "compared": None if compared.all() else [int(v) for v in compared.ravel()],
        })


def by_scipy(name, source_affine, target_affine, shape, word, shrinking):
    where, back = places(shape, source_affine, target_affine)
    values = SOURCE.astype(np.float64)
    if shrinking == "antialiased":
        steps = np.linalg.norm(back[:3, :3], axis=1)[::-1]
        values = ndimage.gaussian_filter(values, np.maximum(0, (steps - 1) / 2), mode="nearest", truncate=4.0)
    limits = np.array(SOURCE_SHAPE).reshape(3, 1, 1, 1) - 1
    inside = np.clip(where, 0, limits)
    order = {"linear": 1, "cubic": 3}[word]
    expected = ndimage.map_coordinates(values, inside, order=order, mode="mirror")
    cases.append({
        "name": name, "from": grid(SOURCE_SHAPE, source_affine), "to": grid(shape, target_affine),
        "interpolation": word, "shrinking": shrinking, "outside": None,
        "expected": short(expected), "compared": None,
    })


coarse = (AXIAL, around(centre, np.diag([-1.0, -1, 1]), [2.1, 1.5, 6.0], (3, 5, 3)), (3, 5, 3))
mixed = (AXIAL, around(centre, SAGITTAL, [2.2, 1.2, 2.7], (3, 5, 4)), (3, 5, 4))
turned = (OBLIQUE, around((OBLIQUE @ [3.0, 4.0, 2.5, 1])[:3], rotation(-0.5, 0.1, 0.2), [2.0, 2.2, 5.5], (4, 5, 4)), (4, 5, 4))
for word in ["linear", "cubic"]:
    for name, (source_affine, target_affine, shape) in {"coarse": coarse, "mixed": mixed, "turned": turned}.items():
        by_scipy(f"{name}-{word}-antialiased", source_affine, target_affine, shape, word, "antialiased")
    by_scipy(f"finer-{word}-edge", *targets["finer"], word, "plain")
    by_scipy(f"crossing-{word}-edge", *targets["crossing"], word, "plain")

# Turned axes.
turns = []
for name, affine in [
    ("axial", AXIAL), ("oblique", OBLIQUE), ("sagittal", affine_of(SAGITTAL, [1.0, 2.0, 3.0], [4, 5, 6])),
    ("coronal", affine_of(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ rotation(0.1, 0.2, -0.15), [1.0, 2.0, 3.0], [4, 5, 6])),
]:
    array = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    image = nib.Nifti1Image(array.T, affine)
    for wanted in ["RAS", "LPS", "PIR", "SLA"]:
        start = nib.orientations.io_orientation(affine)
        turn = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(wanted))
        result = image.as_reoriented(turn)
        turns.append({
            "name": name, "from": grid(array.shape, affine), "orientation": "".join(nib.aff2axcodes(affine)),
            "wanted": wanted, "shape": list(result.shape[::-1]), "affine": result.affine.tolist(),
            "values": [float(v) for v in np.asanyarray(result.dataobj).T.ravel()],
        })

print(json.dumps({
    "versions": {"SimpleITK": sitk.Version.VersionString(), "scipy": scipy.__version__, "numpy": np.__version__,
                 "nibabel": nib.__version__},
    "seed": SEED,
    "source": [float(v) for v in SOURCE.ravel()],
    "cases": cases,
    "turns": turns,
}, separators=(",", ":")))
