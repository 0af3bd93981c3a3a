"""A JPEG encoder for test files that Python's libraries cannot write: 12 bits, lossless, odd sampling, restarts.

Plain and slow, with fixed code tables. What it writes is read by libjpeg (through pylibjpeg), whose values are the
golden ones, so a mistake here shows as a file that libjpeg refuses.
"""

import struct

import numpy as np

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


class Bits:
    def __init__(self):
        self.text = ""

    def code(self, table, symbol):
        self.text += table[symbol]

    def number(self, value, bits):
        if bits:
            self.text += format(value if value > 0 else value + (1 << bits) - 1, f"0{bits}b")

    def flush(self):
        text = self.text + "1" * (-len(self.text) % 8)
        self.text = ""
        data = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
        return data.replace(b"\xff", b"\xff\x00")


def table(symbols, length):
    """Codes of one length for all symbols but the code of ones, and their DHT entry without its class."""
    assert len(symbols) < 1 << length
    counts = bytes(len(symbols) if i + 1 == length else 0 for i in range(16))
    return {s: format(i, f"0{length}b") for i, s in enumerate(symbols)}, counts + bytes(symbols)


def lossless(planes, precision, predictor, restart=0, shift=0, separate=False):
    """`planes` is [components, rows, columns]."""
    components, rows, columns = planes.shape
    codes, entry = table(list(range(17)), 5)
    out = b"\xff\xd8" + segment(0xC4, b"\x00" + entry)
    parts = b"".join(bytes([i + 1, 0x11, 0]) for i in range(components))
    out += segment(0xC3, struct.pack(">BHHB", precision, rows, columns, components) + parts)
    if restart:
        out += segment(0xDD, struct.pack(">H", restart * columns))
    groups = [[i] for i in range(components)] if separate else [list(range(components))]
    for group in groups:
        parts = b"".join(bytes([i + 1, 0]) for i in group)
        out += segment(0xDA, bytes([len(group)]) + parts + bytes([predictor, 0, shift]))
        bits = Bits()
        x = planes.astype(int) >> shift
        for r in range(rows):
            first = restart and r % restart == 0
            if r and first:
                out += bits.flush() + bytes([0xFF, 0xD0 + (r // restart - 1) % 8])
            for c in range(columns):
                for i in group:
                    p = x[i]
                    if c == 0 and (r == 0 or first):
                        guess = 1 << (precision - shift - 1)
                    elif r == 0 or first:
                        guess = p[r, c - 1]
                    elif c == 0:
                        guess = p[r - 1, c]
                    else:
                        a, b, d = p[r, c - 1], p[r - 1, c], p[r - 1, c - 1]
                        guess = [a, b, d, a + b - d, a + ((b - d) >> 1), b + ((a - d) >> 1), (a + b) >> 1][predictor - 1]
                    error = (int(p[r, c]) - int(guess)) & 0xFFFF
                    error = error - 0x10000 if error > 0x8000 else error
                    if error == 0x8000:
                        bits.code(codes, 16)
                    else:
                        size = abs(error).bit_length()
                        bits.code(codes, size)
                        bits.number(error, size)
        out += bits.flush()
    return out + b"\xff\xd9"


def cosines():
    k, n = np.mgrid[0:8, 0:8]
    m = np.cos((2 * n + 1) * k * np.pi / 16) / 2
    m[0] /= np.sqrt(2)
    return m


def sequential(planes, precision, quantisation, sampling=None, restart=0, separate=False, app=b""):
    """`planes` are [rows, columns] arrays, each at the rate that `sampling` gives its component."""
    sampling = sampling or [(1, 1)] * len(planes)
    across, down = max(h for h, _ in sampling), max(v for _, v in sampling)
    columns = max(p.shape[1] for p, s in zip(planes, sampling) if s[0] == across)
    rows = max(p.shape[0] for p, s in zip(planes, sampling) if s[1] == down)
    dc, dc_entry = table(list(range(16)), 5)
    symbols = [0x00, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 15)]
    ac, ac_entry = table(symbols, 8)
    out = b"\xff\xd8" + app + segment(0xC4, b"\x00" + dc_entry + b"\x10" + ac_entry)
    q = np.clip(quantisation * (1 + np.arange(64) // 4), 1, 255).astype(int)
    out += segment(0xDB, b"\x00" + bytes(q.tolist()))
    parts = b"".join(bytes([i + 1, h << 4 | v, 0]) for i, (h, v) in enumerate(sampling))
    out += segment(0xC0 if precision == 8 else 0xC1, struct.pack(">BHHB", precision, rows, columns, len(planes)) + parts)
    if restart:
        out += segment(0xDD, struct.pack(">H", restart))
    units = (-(-columns // (8 * across)), -(-rows // (8 * down)))
    m = cosines()

    def blocks(i):
        h, v = sampling[i]
        full = np.zeros((units[1] * v * 8, units[0] * h * 8))
        p = planes[i]
        full[:] = np.pad(p, ((0, full.shape[0] - p.shape[0]), (0, full.shape[1] - p.shape[1])), mode="edge")
        full -= 1 << (precision - 1)
        return full

    full = [blocks(i) for i in range(len(planes))]
    for group in [[i] for i in range(len(planes))] if separate else [list(range(len(planes)))]:
        parts = b"".join(bytes([i + 1, 0]) for i in group)
        out += segment(0xDA, bytes([len(group)]) + parts + bytes([0, 63, 0]))
        bits, last = Bits(), dict.fromkeys(group, 0)
        if len(group) == 1:
            shape = planes[group[0]].shape
            order = [[(group[0], r, c)] for r in range(-(-shape[0] // 8)) for c in range(-(-shape[1] // 8))]
        else:
            order = [
                [(i, y * sampling[i][1] + b, x * sampling[i][0] + a) for i in group for b in range(sampling[i][1]) for a in range(sampling[i][0])]
                for y in range(units[1])
                for x in range(units[0])
            ]
        for n, unit in enumerate(order):
            if restart and n and n % restart == 0:
                out += bits.flush() + bytes([0xFF, 0xD0 + (n // restart - 1) % 8])
                last = dict.fromkeys(group, 0)
            for i, r, c in unit:
                block = m @ full[i][r * 8 : r * 8 + 8, c * 8 : c * 8 + 8] @ m.T
                values = [int(round(block.flat[ZIGZAG[k]] / q[k])) for k in range(64)]
                size = abs(values[0] - last[i]).bit_length()
                bits.code(dc, size)
                bits.number(values[0] - last[i], size)
                last[i] = values[0]
                run = 0
                for k in range(1, 64):
                    if values[k] == 0:
                        run += 1
                        continue
                    while run > 15:
                        bits.code(ac, 0xF0)
                        run -= 16
                    size = abs(values[k]).bit_length()
                    bits.code(ac, run << 4 | size)
                    bits.number(values[k], size)
                    run = 0
                if run:
                    bits.code(ac, 0x00)
        out += bits.flush()
    return out + b"\xff\xd9"
