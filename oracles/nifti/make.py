"""Small NIfTI files of every kind, and what nibabel reads from them.

    cargo xtask oracle run nifti > crates/kd-data/tests/oracle/nifti.json

nibabel ignores units of length, so the affine of a file in metres or microns is nibabel's times 1000 or 0.001. Where
neither form is set nibabel invents an origin and a mirrored x; no affine is recorded there, only the spacing.
"""

import base64
import gzip
import io
import json
import struct

import nibabel as nib
import numpy as np

SEED = 11
rng = np.random.default_rng(SEED)
cases, refused = [], []

# An oblique, mirrored and anisotropic affine, rounded to what 32-bit floats hold.
ANGLES = (0.3, -0.2, 0.5)


def rotation(x, y, z):
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return rz @ ry @ rx


def affine_of(turn, steps, origin):
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(steps)
    affine[:3, 3] = origin
    return affine


OBLIQUE = affine_of(rotation(*ANGLES), [0.5, 0.75, -3.0], [-12.5, 40.25, 7.125])
SHEARED = OBLIQUE.copy()
SHEARED[:3, 2] += 0.4 * SHEARED[:3, 1]


def values_of(dtype, shape):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        array = rng.integers(max(info.min, -(2**62)), min(info.max, 2**62), size=shape, endpoint=True).astype(dtype)
        array.flat[0], array.flat[-1] = info.min, info.max
        return array
    return (rng.normal(size=shape) * 1000).astype(dtype)


def files_of(image, pair):
    parts = {key: nib.FileHolder(fileobj=io.BytesIO()) for key in (["header", "image"] if pair else ["image"])}
    image.file_map = parts
    image.to_file_map(parts)
    return {key: holder.fileobj.getvalue() for key, holder in parts.items()}


def patched(raw, big, *patches):
    raw = bytearray(raw)
    for form, offset, *numbers in patches:
        struct.pack_into((">" if big else "<") + form, raw, offset, *numbers)
    return bytes(raw)


def add(name, image, pair=False, packed=False, patches=(), insert=b"", unit=1.0, placement="sform", **expected):
    """Records a file and nibabel's reading of the very same bytes."""
    two = isinstance(image, (nib.Nifti2Image, nib.Nifti2Pair))
    big = image.header.endianness == ">"
    parts = files_of(image, pair)
    header = "header" if pair else "image"
    parts[header] = patched(parts[header], big, *patches)
    kind = {(False, False): nib.Nifti1Image, (False, True): nib.Nifti1Pair, (True, False): nib.Nifti2Image,
            (True, True): nib.Nifti2Pair}[two, pair]
    read = kind.from_file_map({key: nib.FileHolder(fileobj=io.BytesIO(raw)) for key, raw in parts.items()})
    stored = np.asanyarray(read.dataobj.get_unscaled())
    colours = stored.dtype.names is not None
    if colours:
        stored = np.stack([stored[c] for c in stored.dtype.names], axis=-1)
        meant = stored.astype(float)
    else:
        meant = read.get_fdata()
    endings = {"header": ".hdr", "image": ".img" if pair else ".nii"}
    files = {}
    for key, raw in parts.items():
        ending = endings[key] + (".gz" if packed else "")
        raw = gzip.compress(raw, mtime=0) if packed else raw
        files[name + ending] = base64.b64encode(raw).decode()
    affine = read.affine.copy()
    affine[:3] *= unit
    order = (lambda a: a.transpose(list(range(a.ndim - 2, -1, -1)) + [a.ndim - 1])) if colours else (lambda a: a.T)
    integers = stored.dtype.kind in "iu"
    cases.append({
        "name": name,
        "files": files,
        "dims": list(stored.shape[:-1] if colours else stored.shape),
        "datatype": int(read.header["datatype"]),
        "version": 2 if two else 1,
        "big_endian": big,
        "stored": [int(v) if integers else float(v) for v in order(stored).ravel()],
        "meant": [float(v) for v in order(meant).ravel()],
        "affine": None if placement == "spacing" else affine.tolist(),
        "spacing": [float(v) * unit for v in read.header["pixdim"][1:4]],
        "placement": placement,
        **expected,
    })


def image(array, affine=OBLIQUE, kind=nib.Nifti1Image, order="<", sform=1, qform=None, unit="mm", time="unknown"):
    header = kind.header_class(endianness=order)
    header.set_data_dtype(array.dtype)
    made = kind(array, affine, header, dtype=array.dtype)
    made.header.set_xyzt_units(unit, time)
    made.set_sform(affine if sform else None, code=sform)
    made.set_qform(affine if qform else None, code=qform or 0)
    return made


SHAPE = (2, 3, 4)
for code in ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]:
    for order, word in [("<", "little"), (">", "big")]:
        add(f"{word}-{code}", image(values_of(code, SHAPE), order=order))
    add(f"second-{code}", image(values_of(code, SHAPE), kind=nib.Nifti2Image))
add("second-big-i2", image(values_of("i2", SHAPE), kind=nib.Nifti2Image, order=">"))
for kind, word in [(nib.Nifti1Pair, "first"), (nib.Nifti2Pair, "second")]:
    add(f"pair-{word}", image(values_of("i2", SHAPE), kind=kind), pair=True)
    add(f"pair-{word}-packed", image(values_of("f4", SHAPE), kind=kind, order=">"), pair=True, packed=True)
add("packed", image(values_of("i2", SHAPE)), packed=True)
add("packed-second", image(values_of("u1", SHAPE), kind=nib.Nifti2Image), packed=True)

# Slopes, at bytes 112 and 116.
i2 = values_of("i2", SHAPE)
add("slope-zero", image(i2), patches=[("ff", 112, 0.0, 5.0)])
add("slope-nan", image(i2), patches=[("ff", 112, np.nan, 5.0)])
add("slope-infinite", image(i2), patches=[("ff", 112, np.inf, 0.0)])
add("slope", image(i2), patches=[("ff", 112, 0.37, -1024.5)])
add("slope-big", image(i2, order=">"), patches=[("ff", 112, -2.5, 3.0)])
add("slope-float", image(values_of("f4", SHAPE)), patches=[("ff", 112, 1.5, 0.25)])
add("slope-second", image(i2, kind=nib.Nifti2Image), patches=[("dd", 176, 0.1, -7.3)])

# Forms.
add("sform-sheared", image(i2, SHEARED, sform=2))
add("qform", image(i2, sform=0, qform=1), placement="qform")
add("qform-second", image(i2, kind=nib.Nifti2Image, sform=0, qform=3), placement="qform")
proper = affine_of(rotation(-1.2, 0.7, 2.9), [2.0, 1.0, 0.5], [3, -4, 5])
add("qform-proper", image(i2, proper, sform=0, qform=1), placement="qform")
half_turn = affine_of(np.diag([-1, -1, 1]), [0.9, 0.8, 5.0], [120, 110, -300])
add("qform-half-turn", image(i2, half_turn, sform=0, qform=1), placement="qform")
add("qform-qfac-zero", image(i2, proper, sform=0, qform=1), patches=[("f", 76, 0.0)], placement="qform")
both = image(i2, qform=1)
both.set_qform(proper, code=1)
add("forms-disagree", both, warning="sform and qform")
add("forms-agree", image(i2, qform=1))
add("forms-none", image(i2, sform=0), placement="spacing", warning="neither sform nor qform")

# Units, at byte 123.
add("metres", image(i2, unit="meter"), unit=1000.0)
add("microns", image(i2, sform=0, qform=1, unit="micron"), unit=0.001, placement="qform")
add("unit-unknown", image(i2, unit="unknown"), warning="no unit of length")

# Axes.
add("one-axis", image(values_of("i2", (5,))))
add("two-axes", image(values_of("u1", (5, 3))))
add("volume-with-single-time", image(values_of("f4", (2, 3, 4, 1))))
timed = image(values_of("i2", (2, 3, 2, 3)), time="msec")
timed.header.set_zooms((0.5, 0.75, 3.0, 2500.0))
add("four-axes", timed, time_step_s=2.5)
add("five-axes", image(values_of("u1", (2, 2, 2, 1, 3))))
add("seven-axes", image(values_of("i2", (2, 1, 3, 2, 1, 2, 2))))

# Colours.
for names, word in [("RGB", "rgb"), ("RGBA", "rgba")]:
    array = np.zeros(SHAPE, dtype=[(name, "u1") for name in names])
    for name in names:
        array[name] = 255 if name == "A" else rng.integers(0, 256, SHAPE)
    # A slope does not touch colours.
    add(word, image(array), patches=[("ff", 112, 2.0, 1.0)])
    if names == "RGBA":
        array["A"][1, 2, 3] = 254
        add("rgba-see-through", image(array), see_through=True)

# An extension between header and voxels.
extended = image(i2)
extended.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a note that is not read"))
add("extension", extended)

# Labels as floats, and as scaled bytes.
labels = rng.integers(0, 4, SHAPE)
add("labels-float", image(labels.astype("f4")), labels=True)
add("labels-scaled", image((labels * 10 + 5).astype("u1")), patches=[("ff", 112, 0.1, -0.5)], labels=True)
add("labels-i8", image(labels.astype("i8"), order=">"), labels=True)


def refuse(name, array, contains, patches=(), ending=".nii", affine=OBLIQUE, **options):
    made = image(array, affine, **options)
    raw = patched(files_of(made, False)["image"], False, *patches)
    refused.append({"name": name + ending, "file": base64.b64encode(raw).decode(), "contains": contains})


refuse("complex64", np.ones(SHAPE, "c8"), "datatype code 32")
refuse("complex128", np.ones(SHAPE, "c16"), "datatype code 1792")
refuse("float128", i2, "datatype code 1536", [("h", 70, 1536)])
refuse("complex256", i2, "datatype code 2048", [("h", 70, 2048)])
refuse("binary", i2, "datatype code 1 ", [("h", 70, 1)])
refuse("no-type", i2, "datatype code 0", [("h", 70, 0)])
refuse("intercept-nan", i2, "scl_inter", [("ff", 112, 2.0, np.nan)])
refuse("no-axis", i2, "dim[0]", [("h", 40, 0)])
refuse("eight-axes", i2, "dim[0]", [("h", 40, 8)])
refuse("negative-axis", i2, "dim[2]", [("h", 44, -3)])
refuse("empty-axis", i2, "dim[3]", [("h", 46, 0)])
refuse("too-many-voxels", i2, "for dim [2, 3, 32767]", [("h", 46, 32767)])
refuse("uncountable-voxels", i2, "a size that can be counted", [("hhhhhhhh", 40, 7, *[32767] * 7)])
refuse("offset-in-header", i2, "vox_offset", [("f", 108, 340.0)])
refuse("offset-behind-end", i2, "found 400 bytes in all", [("f", 108, 1e6)])
refuse("offset-nan", i2, "vox_offset", [("f", 108, np.nan)])
refuse("sform-flat", i2, "srow_x", [("ffff", 296, 0.0, 0.0, 0.0, 0.0)])
refuse("sform-nan", i2, "srow_y", [("f", 300, np.nan)])
refuse("quaternion-long", i2, "quatern_b", [("fff", 256, 0.9, 0.9, 0.1)], sform=0, qform=1)
refuse("qform-no-step", i2, "pixdim[2]", [("f", 84, 0.0)], sform=0, qform=1)
refuse("analyze", i2, "Analyze 7.5", [("4s", 344, b"\0\0\0\0")])
refuse("other-magic", i2, "magic", [("4s", 344, b"abc\0")])
refuse("other-size", i2, "sizeof_hdr", [("i", 0, 347)])

# What a writer has to put into a qform.
quaternions = []
for turn, steps, origin in [
    (np.eye(3), [1.0, 2.0, 3.0], [0, 0, 0]),
    (np.diag([-1.0, -1.0, 1.0]), [0.7, 0.7, 2.5], [150.5, 120.25, -80.0]),
    (np.diag([-1.0, 1.0, 1.0]), [1.0, 1.5, 2.0], [90.0, -126.0, -72.0]),
    (rotation(*ANGLES), [0.5, 0.75, 3.0], [-12.5, 40.25, 7.125]),
    (rotation(*ANGLES) @ np.diag([1, -1, 1]), [0.5, 0.75, 3.0], [1, 2, 3]),
    (rotation(2.0, 1.0, -2.5), [2.0, 0.5, 1.0], [-7, 8, -9]),
    (rotation(np.pi / 2, 0, 0), [1.0, 1.0, 1.0], [5, 6, 7]),
    (rotation(0.0, np.pi / 2, 0.3), [1.2, 1.1, 0.9], [5, 6, 7]),
]:
    affine = affine_of(turn, steps, origin)
    header = nib.Nifti1Header()
    header.set_qform(affine, code=1)
    quaternions.append({
        "affine": affine.tolist(),
        "quatern": [float(header[f"quatern_{c}"]) for c in "bcd"],
        "qfac": float(header["pixdim"][0]),
        "qoffset": [float(header[f"qoffset_{c}"]) for c in "xyz"],
        "pixdim": [float(v) for v in header["pixdim"][1:4]],
    })

print(json.dumps({
    "versions": {"nibabel": nib.__version__, "numpy": np.__version__},
    "seed": SEED,
    "cases": cases,
    "refused": refused,
    "quaternions": quaternions,
    "sheared": SHEARED.tolist(),
}, separators=(",", ":")))
