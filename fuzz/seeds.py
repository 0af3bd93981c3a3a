"""Collects seeds for the fuzz targets: the project's own test files, and with --packages those of pydicom and nibabel.

    python seeds.py CORPUS [--packages]

Every target gets CORPUS/TARGET with files of at most 64 KiB. `--packages` needs `pip install pydicom nibabel`.
"""

import base64
import json
import pathlib
import sys

LARGEST = 64 * 1024
HERE = pathlib.Path(__file__).parent
ORACLE = HERE.parent / "crates/kd-data/tests/oracle"
ENDINGS = {
    ".png": "image", ".jpg": "image", ".npy": "npy", ".npz": "npz", ".zip": "npz",
    ".safetensors": "weights", ".pth": "weights",
}


def files():
    """Pairs of a target and a file's bytes."""
    for path in sorted(ORACLE.iterdir()):
        if path.suffix in ENDINGS:
            yield ENDINGS[path.suffix], path.read_bytes()
    for name in ("dicom.json", "dicom_segmentations.json"):
        for case in json.loads((ORACLE / name).read_text())["cases"]:
            yield "dicom", bytes.fromhex(case["file"])
    nifti = json.loads((ORACLE / "nifti.json").read_text())
    for case in nifti["cases"]:
        for text in case["files"].values():
            yield "nifti", base64.b64decode(text)
    for case in nifti["refused"]:
        yield "nifti", base64.b64decode(case["file"])
    cli = HERE.parent / "crates/kd-cli/tests/oracle"
    for path in sorted(cli.glob("*.csv")):
        yield "table", path.read_bytes()
    for path in sorted(cli.glob("*.np[yz]")):
        yield path.suffix[1:], path.read_bytes()


def packages():
    """The small files of two packages."""
    import nibabel
    import pydicom

    for path in sorted(pathlib.Path(pydicom.__file__).parent.rglob("*")):
        if path.suffix in (".dcm", "") and path.is_file() and path.parent.name != "__pycache__":
            yield "dicom", path.read_bytes()
    for path in sorted((pathlib.Path(nibabel.__file__).parent / "tests/data").iterdir()):
        if ".nii" in path.suffixes:
            yield "nifti", path.read_bytes()


def main():
    """Writes the corpus and tells its size."""
    corpus = pathlib.Path(sys.argv[1])
    found = list(files()) + (list(packages()) if "--packages" in sys.argv[2:] else [])
    counts = {}
    for target, value in found:
        if 0 < len(value) <= LARGEST:
            folder = corpus / target
            folder.mkdir(parents=True, exist_ok=True)
            number = counts.get(target, 0)
            (folder / f"seed-{number:04}").write_bytes(value)
            counts[target] = number + 1
    for target, count in sorted(counts.items()):
        print(f"{target}: {count} seeds")


if __name__ == "__main__":
    main()
