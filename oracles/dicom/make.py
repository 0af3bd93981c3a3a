"""Small DICOM files of every kind of pixel, and what pydicom reads from them.

    cargo xtask oracle run dicom > crates/kd-data/tests/oracle/dicom.json

Per-frame groups are applied frame by frame through pydicom's own functions, because pydicom itself leaves them alone.
Shades are pydicom's windowed values brought to 0..255 with halves rounded up; inputs are chosen so that none is near a
half. JPEG that no library in Python writes comes from jpeg.py beside this file and is read by libjpeg.
"""

import importlib.metadata
import io
import json
import pathlib
import platform
import sys
import warnings
import zlib

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing, pixel_array

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import jpeg

warnings.simplefilter("ignore")
SEED = 5
rng = np.random.default_rng(SEED)
cases = []
LITTLE, IMPLICIT, BIG = uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian
CT, MR, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"


def image(pixels, *, bits=None, photometric="MONOCHROME2", syntax=LITTLE, **attributes):
    """A data set around uncompressed pixels: [rows, columns], [frames, rows, columns] or colour with 3 behind."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = SC
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    ds.SOPClassUID, ds.SOPInstanceUID = SC, "1.2.3.4"
    color = photometric in ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
    shape = pixels.shape[:-1] if color else pixels.shape
    if len(shape) == 3:
        ds.NumberOfFrames = shape[0]
    ds.Rows, ds.Columns = shape[-2:]
    ds.SamplesPerPixel = 3 if color else 1
    if color:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric
    if pixels.dtype.kind == "f":
        ds.BitsAllocated = pixels.dtype.itemsize * 8
        keyword = "FloatPixelData" if pixels.dtype.itemsize == 4 else "DoubleFloatPixelData"
        setattr(ds, keyword, pixels.astype(pixels.dtype.newbyteorder(">" if syntax == BIG else "<")).tobytes())
    else:
        ds.BitsAllocated = pixels.dtype.itemsize * 8
        ds.BitsStored = bits or ds.BitsAllocated
        ds.HighBit = ds.BitsStored - 1
        ds.PixelRepresentation = int(pixels.dtype.kind == "i")
        data = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == BIG else "<")).tobytes()
        ds.PixelData = data + b"\0" * (len(data) % 2)
        ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def written(ds, **options):
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True, **options)
    return out.getvalue()


def numbers(array):
    return [v if isinstance(v, int) else float(v) for v in np.asarray(array).reshape(-1).tolist()]


def rescaled_range(ds, frame_ds=None):
    """What a window's output spans in pydicom: the stored range after the modality step."""
    source = frame_ds if frame_ds is not None else ds
    low, high = (-(2 ** (ds.BitsStored - 1)), 2 ** (ds.BitsStored - 1) - 1) if ds.PixelRepresentation else (0, 2**ds.BitsStored - 1)
    if source.get("ModalityLUTSequence"):
        return 0, 2 ** source.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    slope, intercept = float(source.get("RescaleSlope") or 1), float(source.get("RescaleIntercept") or 0)
    return low * slope + intercept, high * slope + intercept


def shades(values, low, high, inverted):
    unit = (np.asarray(values, float) - low) / (high - low) * 255
    assert np.abs(unit % 1 - 0.5).min() > 1e-6, "a value lies on a half"
    byte = np.floor(unit + 0.5)
    return (255 - byte if inverted else byte).astype(int)


def case(name, ds, *, data=None, lossy=0, window=None, voi=None, frames=None, padding=None, spacing=None, note=None, oracle=None):
    """Records a file and its values. `frames`: data sets of each frame's groups. `window`, `voi`: indices to show."""
    data = written(ds) if data is None else data
    read = oracle if oracle is not None else pydicom.dcmread(io.BytesIO(data), force=True)
    if "TransferSyntaxUID" not in getattr(read, "file_meta", {}):
        read.file_meta = FileMetaDataset()
        read.file_meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    raw = pixel_array(read, raw=True)
    grey = read.PhotometricInterpretation.startswith("MONOCHROME")
    record = {"name": name, "file": data.hex(), "raw": numbers(raw), "lossy": lossy}
    n = int(read.get("NumberOfFrames") or 1)
    shape = [n, read.Rows, read.Columns] + ([3] if read.SamplesPerPixel == 3 else [])
    record["shape"] = shape
    stack = raw.reshape(shape)
    if grey:
        parts = [apply_modality_lut(stack[i], frames[i] if frames else read) for i in range(n)]
        modality = np.stack(parts)
    elif read.PhotometricInterpretation == "PALETTE COLOR":
        modality = apply_color_lut(raw, read)
    else:
        modality = pixel_array(read, raw=False)
    modality_values = numbers(np.asarray(modality, float).astype(np.float32).astype(float))
    if modality_values != record["raw"]:
        record["modality"] = modality_values  # else: the stored values
    inverted = read.PhotometricInterpretation == "MONOCHROME1"
    if window is not None:
        shown = []
        for i in range(n):
            source = Dataset()
            source.update(read)
            if frames:
                source.update(frames[i])
            values = apply_windowing(modality[i], source, index=window)
            shown.append(shades(values, *rescaled_range(read, source), inverted))
        record["window"] = {"index": window, "shades": numbers(np.stack(shown))}
    if voi is not None:
        table = read.VOILUTSequence[voi]
        values = apply_voi(modality.astype(np.int64), read, index=voi)
        record["table"] = {"index": voi, "shades": numbers(shades(values, 0, 2 ** table.LUTDescriptor[2] - 1, inverted))}
    if padding is not None:
        record["padding"] = [bool(v) for v in padding(stack).reshape(-1)]
    if spacing is not None:
        record["spacing"] = spacing
    cases.append(record)


def grey(shape, low, high, dtype):
    return rng.integers(low, high, size=shape, endpoint=True).astype(dtype)


def table(entries, first, bits, vr="US", data_vr="OW", size=2):
    item = Dataset()
    count = len(entries) % 65536
    item.add_new("LUTDescriptor", vr, [count, first, bits])
    data = np.asarray(entries, f"<u{size}").tobytes()
    item.add_new("LUTData", data_vr, data + b"\0" * (len(data) % 2))
    return item


# Modality step
a = grey((3, 5), 0, 4095, "u2")
case("rescale to Hounsfield units", image(a, bits=12, Modality="CT", RescaleSlope="1", RescaleIntercept="-1024", RescaleType="HU"))
case("a fractional slope", image(a, bits=12, Modality="PT", RescaleSlope="0.37251", RescaleIntercept="-3.5"))
case("empty slope and intercept", image(a, bits=12, RescaleSlope="", RescaleIntercept=""), oracle=image(a, bits=12))
case("a slope in exponent form with blanks", image(a, bits=12, RescaleSlope=" 1.25e-3 ", RescaleIntercept=" -0 "))
s = grey((3, 5), -2000, 2000, "i2")
case("a modality table from a negative first value", image(s, ModalityLUTSequence=[table(range(7, 507, 5), -20, 16, "SS")]))
case("a modality table of 8 bits", image(grey((3, 5), 0, 255, "u1"), ModalityLUTSequence=[table(range(255, 55, -1), 10, 8)]))


# Sign and bits
high = (grey((3, 4), 0, 15, "u2") << 12) | grey((3, 4), 0, 4095, "u2")
ds = image(high, bits=12)
masked = image(high & 0x0FFF, bits=12)
case("overlay bits above the stored ones", ds, oracle=masked)
ds = image((s[:, :4] & 0x0FFF).astype("u2"), bits=12, PixelRepresentation=1)
sign = ((s[:, :4].astype(int) & 0x0FFF) ^ 0x800) - 0x800
case("12 signed bits without their sign spread", ds, oracle=image(sign.astype("i2"), bits=12))
shifted = grey((3, 4), 0, 1023, "u2")
case("stored bits below a high bit of 15", image((shifted << 6) | 5, bits=10, HighBit=15), oracle=image(shifted, bits=10))
case("8 signed bits", image(grey((3, 5), -128, 127, "i1"), RescaleSlope="2", RescaleIntercept="1"))
case("32 unsigned bits", image(grey((2, 3), 0, 2**32 - 1, "u4"), RescaleSlope="3e-5", RescaleIntercept="0"))
case("32 signed bits", image(grey((2, 3), -(2**31), 2**31 - 1, "i4")))
case("floating-point pixels", image(rng.normal(size=(2, 3, 4)).astype("f4")))
case("double floating-point pixels", image(rng.normal(size=(3, 4)) * 1e3, RescaleSlope="2", RescaleIntercept="-1"))
flags = grey((2, 3, 7), 0, 1, "u1")
ds = image(flags)
ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
ds.PixelData = np.packbits(flags.reshape(-1), bitorder="little").tobytes()
case("one bit, frames that end within a byte", ds)

# Windows
w = dict(bits=12, RescaleSlope="1", RescaleIntercept="-1024")
for name, function, center, width in [
    ("LINEAR", None, "40.3", "401"), ("LINEAR_EXACT", "LINEAR_EXACT", "40.3", "400"), ("SIGMOID", "SIGMOID", "40.3", "400"),
]:
    ds = image(grey((4, 6), 700, 1500, "u2"), WindowCenter=center, WindowWidth=width, **w)
    if function:
        ds.VOILUTFunction = function
    case(f"a window of kind {name}", ds, window=0)
case("the narrowest linear window", image(a, bits=12, WindowCenter="2000", WindowWidth="1"), window=0)
case("the second of two windows", image(a, bits=12, WindowCenter=["500", "1500.7"], WindowWidth=["300", "2001"], WindowCenterWidthExplanation=["A", "B"]), window=1)
case("MONOCHROME1, inverted behind its window", image(a, bits=12, photometric="MONOCHROME1", WindowCenter="1800.2", WindowWidth="1503"), window=0)
case("a window on signed values", image(s, bits=16, WindowCenter="10.3", WindowWidth="2301"), window=0)
steps = [(i * i * 3 + 1) % 1021 for i in range(200)]
case("a VOI table of 10 bits", image(grey((3, 5), 0, 511, "u2"), bits=9, VOILUTSequence=[table(range(300), 3, 9), table(steps, 100, 10)]), voi=1)
case("a VOI table on MONOCHROME1", image(grey((3, 5), 0, 255, "u1"), photometric="MONOCHROME1", VOILUTSequence=[table(range(0, 4000, 20), 20, 12)]), voi=0)

# Padding
p = s.copy()
p[0, :] = -2000
p[2, 3] = -1990
case("a padding value", image(p, PixelPaddingValue=-2000), padding=lambda v: v == -2000)
case("a padding range, limit below the value", image(p, PixelPaddingValue=-1985, PixelPaddingRangeLimit=-2000), padding=lambda v: (v >= -2000) & (v <= -1985))
f = rng.normal(size=(3, 4)).astype("f4")
f[0, 1] = -99.5
case("a floating-point padding value", image(f, FloatPixelPaddingValue=-99.5), padding=lambda v: v == np.float32(-99.5))

# Colour
rgb = grey((3, 4, 3), 0, 255, "u1")
case("RGB", image(rgb, photometric="RGB"))
ds = image(rgb, photometric="RGB", PlanarConfiguration=1)
ds.PixelData = rgb.transpose(2, 0, 1).tobytes()
case("RGB in planes", ds)
two = grey((2, 3, 3, 3), 0, 255, "u1")
ds = image(two, photometric="RGB", PlanarConfiguration=1)
ds.PixelData = two.transpose(0, 3, 1, 2).tobytes()
case("two frames of RGB in planes, an odd number of bytes each", ds)
case("RGB of 16 bits", image(grey((2, 3, 3), 0, 65535, "u2"), photometric="RGB"))
case("YBR_FULL", image(grey((5, 6, 3), 0, 255, "u1"), photometric="YBR_FULL"))
ybr = grey((2, 3, 4, 3), 0, 255, "u1")
ybr[..., 1::2, 1:] = ybr[..., 0::2, 1:]
ds = image(ybr, photometric="YBR_FULL_422")
packed = [[y[c, 0], y[c + 1, 0], y[c, 1], y[c, 2]] for y in ybr.reshape(-1, 4, 3) for c in (0, 2)]
ds.PixelData = np.array(packed, "u1").tobytes()
case("two frames of YBR_FULL_422", ds)


def palette(ds, red, green, blue, bits, first=0, segmented=False, data_vr="OW", size=2, count=None):
    for name, entries in (("Red", red), ("Green", green), ("Blue", blue)):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [(count or len(entries)) % 65536, first, bits])
        ds[f"{name}PaletteColorLookupTableDescriptor"].VR = "US" if first >= 0 else "SS"
        keyword = f"{'Segmented' if segmented else ''}{name}PaletteColorLookupTableData"
        data = np.asarray(entries, f"<u{size}").tobytes()
        setattr(ds, keyword, data + b"\0" * (len(data) % 2))
        ds[keyword].VR = data_vr
    return ds


index = grey((3, 5), 0, 40, "u1")
colors = [[(i * k + 3) * 911 % 65536 for i in range(30)] for k in (1, 2, 5)]
case("a palette of 16 bits, first index 4", palette(image(index, photometric="PALETTE COLOR"), *colors, 16, first=4))
bytes_ = [[(i * k + 3) * 37 % 256 for i in range(42)] for k in (1, 2, 5)]
case("a palette of 8 bits, two entries a word", palette(image(index, photometric="PALETTE COLOR"), *bytes_, 8, size=1))
case("a palette of 16-bit indices", palette(image(grey((3, 5), 0, 40, "u2"), photometric="PALETTE COLOR"), *colors, 16))
lines = [[0, 3, 10, 20, 30, 1, 8, 65000, 1, 9, 17], [0, 2, 5, 6, 1, 18, 40000], [0, 1, 60000, 1, 10, 0, 1, 9, 900]]
case("a segmented palette of 16 bits", palette(image(grey((3, 7), 0, 19, "u1"), photometric="PALETTE COLOR"), *lines, 16, segmented=True, count=20))
short = [[0, 3, 10, 20, 30, 1, 8, 250, 2, 2, 0, 0, 0, 0], [0, 2, 5, 6, 1, 9, 200, 2, 2, 0, 0, 0, 0], [0, 1, 250, 1, 10, 0, 2, 2, 0, 0, 0, 0]]
case("a segmented palette of 8 bits with repeats", palette(image(grey((3, 7), 0, 21, "u1"), photometric="PALETTE COLOR"), *short, 8, segmented=True, data_vr="OW", size=1, count=22))

# Frames and functional groups
def groups(**attributes):
    item = Dataset()
    for keyword, value in attributes.items():
        inner = Dataset()
        for name, number in value.items():
            setattr(inner, name, number)
        setattr(item, keyword, [inner])
    return item


v = grey((3, 2, 4), 0, 4095, "u2")
case("three frames", image(v, bits=12))
per_frame = [
    {"PixelValueTransformationSequence": {"RescaleSlope": str(k), "RescaleIntercept": str(-k * 10), "RescaleType": "US"},
     "FrameVOILUTSequence": {"WindowCenter": str(900.3 * k), "WindowWidth": str(701 + k)}}
    for k in (1, 2.5, 0.25)
]
flat = []
for frame in per_frame:
    item = Dataset()
    for inner in frame.values():
        for keyword, value in inner.items():
            setattr(item, keyword, value)
    flat.append(item)
ds = image(v, bits=12, Modality="MR")
ds.SharedFunctionalGroupsSequence = [groups(PixelMeasuresSequence={"PixelSpacing": ["0.7", "0.9"], "SliceThickness": "3"})]
ds.PerFrameFunctionalGroupsSequence = [groups(**frame) for frame in per_frame]
case("slope and window of each frame", ds, frames=flat, window=0, spacing=[0.7, 0.9])
ds = image(v, bits=12, Modality="CT")
ds.SharedFunctionalGroupsSequence = [groups(**per_frame[1])]
ds.PerFrameFunctionalGroupsSequence = [groups(FrameContentSequence={"StackID": "1"}) for _ in range(3)]
case("slope and window that all frames share", ds, frames=[flat[1]] * 3, window=0)

# Containers
for name, syntax in (("implicit little-endian", IMPLICIT), ("explicit big-endian", BIG)):
    case(f"{name}, 16 bits", image(a, bits=12, syntax=syntax, RescaleSlope="2", RescaleIntercept="-7"))
    case(f"{name}, 8 bits in an odd number", image(grey((3, 5), 0, 255, "u1"), syntax=syntax))
    case(f"{name}, 32 bits", image(grey((2, 3), 0, 2**32 - 1, "u4"), syntax=syntax))
    case(f"{name}, floating point", image(rng.normal(size=(2, 3)).astype("f4"), syntax=syntax))
ds = image(grey((3, 5), 0, 255, "u1"), syntax=BIG)
raw = np.frombuffer(ds.PixelData, "u1").reshape(-1, 2)[:, ::-1].tobytes()
ds.PixelData = raw
ds["PixelData"].VR = "OW"
case("8 bits in big-endian words", ds)
ds = image(a, bits=12, syntax=BIG, ModalityLUTSequence=[Dataset()])
item = ds.ModalityLUTSequence[0]
item.add_new("LUTDescriptor", "US", [4, 1000, 16])
item.add_new("LUTData", "OW", np.array([5, 6, 700, 8000], ">u2").tobytes())
little = image(a, bits=12, ModalityLUTSequence=[table([5, 6, 700, 8000], 1000, 16)])
case("a big-endian modality table", ds, oracle=little)
case("deflated", image(a, bits=12, syntax=uid.DeflatedExplicitVRLittleEndian, RescaleSlope="1", RescaleIntercept="-1024"))
for name, syntax in (("implicit", IMPLICIT), ("explicit", LITTLE)):
    ds = image(a, bits=12, syntax=syntax)
    whole = written(ds)
    meta = whole.index(b"\x08\x00\x16\x00")
    case(f"{name}, neither preamble nor meta information", ds, data=whole[meta:])
    case(f"{name}, no preamble", ds, data=whole[132:])
ds = image(a, bits=12)
whole = written(ds)
case("a wrong length of the meta group", ds, data=whole[:140] + b"\x07\0\0\0" + whole[144:])
ds = image(a, bits=12, PixelSpacing=["0.5", "0.25"])
odd = written(ds).replace(b"\x28\x00\x10\x00US\x02\x00\x03\x00", b"\x28\x00\x10\x00UL\x04\x00\x03\x00\x00\x00")
odd = odd.replace(b"\x28\x00\x11\x00US\x02\x00\x05\x00", b"\x28\x00\x11\x00IS\x02\x005 ")
case("rows and columns in representations of others", ds, data=odd, oracle=ds, spacing=[0.5, 0.25])
ds = image(a, bits=12, syntax=LITTLE)
body = written(image(a, bits=12, syntax=IMPLICIT))
head = written(ds)
start = body.index(b"\x08\x00\x16\x00")
case("implicit behind a name that says explicit", ds, data=head[: head.index(b"\x08\x00\x16\x00")] + body[start:], oracle=ds)
ds = image(a, bits=12, SpecificCharacterSet=["", "ISO 2022 IR 87", "ISO 2022 IR 149"], PatientName="Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", NumberOfFrames="")
case("names in three character sets, an empty frame count", ds, oracle=image(a, bits=12))
ds = image(a, bits=12)
private = ds.private_block(0x0029, "KD TEST", create=True)
inner = Dataset()
inner.PatientComments = "nested"
private.add_new(1, "SQ", [inner, inner])
private.add_new(2, "UN", b"\xfe\xff\x00\xe0\x08\x00\x00\x00abcdefgh")
ds[0x0029, 0x1001].is_undefined_length = True
case("private sequences of undefined length", ds)

# Codecs
def compressed(ds, syntax, frames, extended=False, pieces=1):
    ds.file_meta.TransferSyntaxUID = syntax
    if extended:
        ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        ds.PixelData = encapsulate(frames, fragments_per_frame=pieces)
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    return ds


def encoded(ds, syntax, **options):
    ds.compress(syntax, generate_instance_uid=False, **options)
    return ds


smooth = (np.add.outer(np.arange(9) ** 2 * 7, np.arange(11) * 13) + grey((9, 11), 0, 20, "u2")).astype("u2")
for name, pixels, more in [
    ("8 bits", grey((3, 5), 0, 3, "u1"), {}), ("16 bits", smooth, {"bits": 12}), ("signed", grey((4, 5), -300, 300, "i2"), {}),
    ("two frames", v[:2], {"bits": 12}), ("RGB", rgb, {"photometric": "RGB"}),
]:
    case(f"RLE, {name}", encoded(image(pixels, **more), uid.RLELossless))
wide = grey((2, 3), 0, 2**32 - 1, "u4")
parts = [bytes([5]) + bytes(part) for part in wide.reshape(-1, 1).view("u1")[:, ::-1].T]
parts = [part + b"\0" * (len(part) % 2) for part in parts]
offsets = [64 + sum(len(part) for part in parts[:i]) for i in range(4)]
header = np.array([4, *offsets] + [0] * 11, "<u4").tobytes()
case("RLE, 32 bits", compressed(image(wide), uid.RLELossless, [header + b"".join(parts)]))
case("RLE, palette", encoded(palette(image(index, photometric="PALETTE COLOR"), *colors, 16, first=4), uid.RLELossless))
rough = image(smooth, bits=12)
for name, pixels, more in [("8 bits", (smooth >> 3).astype("u1"), {}), ("12 bits", smooth, {"bits": 12}), ("RGB", grey((9, 8, 3), 0, 255, "u1"), {"photometric": "RGB"}), ("two frames", np.stack([smooth, smooth.T[:9, :9].repeat(2, 1)[:, :11]]), {"bits": 12})]:
    case(f"JPEG-LS, {name}", encoded(image(pixels, **more), uid.JPEGLSLossless))
flat = np.full((8, 40), 9, "u1")
flat[3, 10:30], flat[5, 7] = 200, 3
case("JPEG-LS, runs", encoded(image(flat), uid.JPEGLSLossless))
case("JPEG-LS, near lossless", encoded(image(smooth, bits=12), uid.JPEGLSNearLossless, jls_error=3))
case("JPEG-LS, near lossless RGB", encoded(image(grey((9, 8, 3), 100, 130, "u1"), photometric="RGB"), uid.JPEGLSNearLossless, jls_error=2))
tall = np.tile(smooth, (4, 3))  # OpenJPEG writes nothing below 32 × 32
for name, pixels, more in [("8 bits", (tall >> 3).astype("u1"), {}), ("12 bits", tall, {"bits": 12}), ("signed", tall.astype("i2") - 700, {})]:
    case(f"JPEG 2000, {name}", encoded(image(pixels, **more), uid.JPEG2000Lossless))
case("JPEG 2000, RGB through YBR_RCT", encoded(image(grey((32, 33, 3), 90, 105, "u1"), photometric="RGB"), uid.JPEG2000Lossless))
case("JPEG 2000, lossy", encoded(image(tall, bits=12), uid.JPEG2000, j2k_cr=[4]), lossy=1)
deflate = zlib.compressobj(wbits=-15)
frame = deflate.compress(a.tobytes()) + deflate.flush()
ds = compressed(image(a, bits=12), uid.JPEGBaseline8Bit, [frame + b"\0" * (len(frame) % 2)])
data = written(ds).replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.8.1\0")  # pydicom does not know it
case("a deflated frame", ds, data=data, oracle=image(a, bits=12))

l8 = (smooth >> 3).astype("u1")
for predictor in range(1, 8):
    name = f"JPEG lossless, predictor {predictor}"
    case(name, compressed(image(smooth, bits=12), uid.JPEGLossless, [jpeg.lossless(smooth[None], 12, predictor)]))
noise = grey((6, 7), 0, 65535, "u2")
case("JPEG lossless, 16 bits of noise", compressed(image(noise), uid.JPEGLosslessSV1, [jpeg.lossless(noise[None], 16, 1)]))
case("JPEG lossless, restarts", compressed(image(smooth, bits=12), uid.JPEGLossless, [jpeg.lossless(smooth[None], 12, 4, restart=2)]))
signed = smooth.astype("i2") - 700
case("JPEG lossless, signed", compressed(image(signed), uid.JPEGLosslessSV1, [jpeg.lossless(signed.view("u2")[None], 16, 1)]))
c8 = grey((5, 6, 3), 0, 255, "u1")
case("JPEG lossless, RGB", compressed(image(c8, photometric="RGB"), uid.JPEGLosslessSV1, [jpeg.lossless(c8.transpose(2, 0, 1), 8, 1)]))
case("JPEG lossless, RGB component by component", compressed(image(c8, photometric="RGB"), uid.JPEGLossless, [jpeg.lossless(c8.transpose(2, 0, 1), 8, 5, separate=True)]))
frames = [jpeg.lossless(x[None], 12, 1) for x in (smooth, smooth[::-1])]
two = image(np.stack([smooth, smooth[::-1]]), bits=12)
case("JPEG lossless, frames in pieces with an offset table", compressed(two, uid.JPEGLosslessSV1, frames, pieces=2))
case("JPEG lossless, an extended offset table", compressed(two, uid.JPEGLosslessSV1, frames, extended=True))
case("JPEG baseline, 8 bits", compressed(image(l8), uid.JPEGBaseline8Bit, [jpeg.sequential([l8], 8, 2)]), lossy=1)
case("JPEG baseline, restarts", compressed(image(l8), uid.JPEGBaseline8Bit, [jpeg.sequential([l8], 8, 2, restart=1)]), lossy=1)
case("JPEG extended, 12 bits", compressed(image(smooth, bits=12), uid.JPEGExtended12Bit, [jpeg.sequential([smooth], 12, 3)]), lossy=1)
wide = np.add.outer(np.arange(19), np.arange(22)) * 5 % 256
half = [wide, wide[::2, ::2][:10, :11] // 2 + 60, 200 - wide[::2, ::2][:10, :11] // 3]
full = [wide, wide // 2 + 60, 200 - wide // 3]
shape = np.zeros((19, 22, 3), "u1")
for name, planes, options in [
    ("full colour", full, {}), ("colour component by component", full, {"separate": True}),
    ("colour at half rate", half, {"sampling": [(2, 2), (1, 1), (1, 1)]}),
    ("colour at half rate, component by component", half, {"sampling": [(2, 2), (1, 1), (1, 1)], "separate": True}),
    ("colour at half rate across", [wide] + [p[:, ::2] for p in full[1:]], {"sampling": [(2, 1), (1, 1), (1, 1)]}),
]:
    ds = image(shape, photometric="YBR_FULL" if "full" in name else "YBR_FULL_422")
    # Stored values differ by 1; each of three differences moves a colour by at most 1.77 more.
    case(f"JPEG baseline, {name}", compressed(ds, uid.JPEGBaseline8Bit, [jpeg.sequential(planes, 8, 1, **options)]), lossy=1)

packages = ["numpy", "pydicom", "pyjpegls", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg"]
versions = {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages}
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
print(f'{{"versions": {json.dumps(versions)}, "seed": {SEED}, "cases": [\n{lines}\n]}}')
