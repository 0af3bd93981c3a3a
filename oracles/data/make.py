"""Golden files for the readers of kd-data, and what other tools read from them.

    python make.py OUT

OUT is crates/kd-data/tests/oracle. Tool versions stand in the JSON files. PyTorch's old format writes addresses of memory
into legacy.pth, so its bytes are other ones each time.
"""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)


def write_json(name, value):
    (out / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def torch_files():
    import torch

    torch.manual_seed(3)
    tensors = {
        "conv.weight": torch.randn(2, 3, 1, 2),
        "bn.running_var": torch.rand(3).double(),
        "bn.num_batches_tracked": torch.tensor(7),
        "fc.weight": torch.randn(4, 2).t(),  # not contiguous
        "half": torch.tensor([0.5, -1.25, 1024.0]).half(),
        "brain": torch.tensor([0.5, -3.0]).bfloat16(),
    }
    torch.save(tensors, out / "weights.pth")
    torch.save(tensors, out / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.tensor([1.0, float("nan")])}, out / "nan.pth")
    expected = {
        name: {"shape": list(t.shape), "values": t.double().reshape(-1).tolist()} for name, t in tensors.items()
    }
    write_json("torch.json", {"versions": {"torch": torch.__version__}, "tensors": expected})


def exact(array):
    """Integers as integers, floats as the doubles that they are."""
    return array.astype("f8" if array.dtype.kind == "f" else "i8").ravel().tolist()


def arrays():
    rng = np.random.default_rng(5)
    numbers = {}
    for code in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]:
        for order in "<>":
            dtype = np.dtype(order + code)
            if dtype.kind == "f":
                values = rng.normal(size=(2, 3)).astype(dtype)
            else:
                info = np.iinfo(dtype)
                low, high = max(info.min, -(2**53)), min(info.max, 2**53)
                values = rng.integers(low, high, size=(2, 3), endpoint=True, dtype=np.int64).astype(dtype)
                values[0, 0], values[1, 2] = low, high
            numbers[{"<": "little_", ">": "big_"}[order] + code] = values
    numbers["truth"] = np.array([[True, False], [False, False], [True, True]])
    numbers["fortran"] = np.asfortranarray(np.arange(24, dtype="<i2").reshape(2, 3, 4) * 3 - 5)
    numbers["fortran_big"] = np.asfortranarray(rng.normal(size=(3, 2)).astype(">f4"))
    numbers["scalar"] = np.array(-7, dtype="<i4")
    numbers["empty"] = np.zeros((0, 5), dtype="<f4")
    texts = {
        "unicode": np.array(["a", "größer", ""], dtype="U"),
        "unicode_big": np.array([["x1", "日本"]], dtype=">U4"),
        "bytes": np.array([b"one", b"three"], dtype="S"),
    }
    np.savez(out / "arrays.npz", **numbers, **texts)
    np.savez_compressed(out / "packed.npz", big_f4=numbers["big_f4"], fortran=numbers["fortran"])
    np.savez(
        out / "refused.npz",
        object=np.array([1, "two", None], dtype=object),
        complex=np.array([1 + 2j]),
        date=np.array(["2020-01-01"], dtype="datetime64[D]"),
        record=np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]),
        nan=np.array([0.0, np.nan]),
        large=np.array([2**63], dtype="<u8"),
        wide=np.array([2**53 + 1], dtype="<i8"),
    )
    for version in [(1, 0), (2, 0), (3, 0)]:
        with open(out / f"version{version[0]}.npy", "wb") as file:
            np.lib.format.write_array(file, np.array([[1, 2, 3]], dtype="<u2"), version=version)
    expected = {n: {"dtype": a.dtype.str, "shape": list(a.shape), "values": exact(a)} for n, a in numbers.items()}
    words = {
        n: {"dtype": a.dtype.str, "shape": list(a.shape), "values": [v.decode() if isinstance(v, bytes) else str(v) for v in a.ravel()]}
        for n, a in texts.items()
    }
    write_json("arrays.json", {"versions": {"numpy": np.__version__}, "numbers": expected, "texts": words})


def pictures():
    import PIL
    from PIL import Image

    rng = np.random.default_rng(6)
    files = {}

    def save(name, image, array=None, **options):
        image.save(out / name, **options)
        array = np.asarray(image) if array is None else array
        planes = array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)
        bits = 16 if array.dtype.itemsize > 1 else 8
        files[name] = {"shape": list(planes.shape), "bits": bits, "values": planes.astype(int).ravel().tolist()}

    gray16 = rng.integers(0, 65536, (3, 5), dtype=np.uint16)
    save("gray16.png", Image.fromarray(gray16), gray16)
    save("gray8.png", Image.fromarray(rng.integers(0, 256, (4, 3), dtype=np.uint8)))
    rgb = rng.integers(0, 256, (2, 4, 3), dtype=np.uint8)
    save("rgb8.png", Image.fromarray(rgb))
    palette = Image.fromarray(rng.integers(0, 3, (3, 4), dtype=np.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 0, 7, 1, 255, 128])
    save("palette.png", palette, np.asarray(palette.convert("RGB")))
    bits = rng.integers(0, 2, (3, 9)).astype(bool)
    save("bits.png", Image.fromarray(bits), bits.astype(np.uint8) * 255)
    opaque = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    save("opaque.png", Image.fromarray(opaque, "RGBA"), rgb)
    see_through = opaque.copy()
    see_through[1, 2, 3] = 254
    Image.fromarray(see_through, "RGBA").save(out / "transparent.png")
    ramp = (np.add.outer(np.arange(16) * 9, np.arange(24) * 4)).astype(np.uint8)
    save("gray.jpg", Image.fromarray(ramp), None, quality=95)
    color = np.dstack([ramp, ramp[::-1], 255 - ramp])
    save("color.jpg", Image.fromarray(color), None, quality=95, subsampling=0)
    save("progressive.jpg", Image.fromarray(ramp), None, quality=95, progressive=True)
    for name in ["gray.jpg", "color.jpg", "progressive.jpg"]:
        array = np.asarray(Image.open(out / name))
        planes = array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)
        files[name]["values"] = planes.astype(int).ravel().tolist()
    write_json("pictures.json", {"versions": {"Pillow": PIL.__version__, "numpy": np.__version__}, "files": files})


def weights():
    import safetensors
    from safetensors.numpy import save_file

    rng = np.random.default_rng(7)
    tensors = {
        "a.half": rng.normal(size=(3,)).astype("f2"),
        "b.single": rng.normal(size=(2, 1, 3)).astype("f4"),
        "c.double": rng.normal(size=(2, 2)).astype("f8"),
        "bn.num_batches_tracked": np.array(3, dtype="i8"),
    }
    save_file(tensors, out / "weights.safetensors", metadata={"origin": "oracle", "network": "none"})
    save_file({"w": np.array([1.0, np.inf], "f4")}, out / "inf.safetensors")
    save_file({"w": np.array([1, 2], "i8")}, out / "integers.safetensors")
    expected = {
        n: {"shape": list(a.shape), "values": a.astype("f8").ravel().tolist()} for n, a in tensors.items()
    }
    versions = {"safetensors": safetensors.__version__, "numpy": np.__version__}
    write_json("safetensors.json", {"versions": versions, "tensors": expected})


def resized():
    import PIL
    from PIL import Image

    rng = np.random.default_rng(8)
    source = rng.random((7, 10)).astype("f4")
    image = Image.fromarray(source)
    cases = []
    for height, width in [(7, 10), (3, 4), (5, 10), (14, 25), (2, 30)]:
        small = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        cases.append({"size": [height, width], "values": small.astype("f8").ravel().tolist()})
    write_json(
        "resized.json",
        {"versions": {"Pillow": PIL.__version__}, "source": {"size": [7, 10], "values": source.astype("f8").ravel().tolist()}, "cases": cases},
    )


torch_files()
arrays()
pictures()
weights()
resized()
with zipfile.ZipFile(out / "no_arrays.zip", "w") as archive:
    archive.writestr(zipfile.ZipInfo("readme.txt", (1980, 1, 1, 0, 0, 0)), "nothing here")
