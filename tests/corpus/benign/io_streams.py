import io
import struct
import zlib


def pack(records):
    out = io.BytesIO()
    out.write(b"REC1")
    for name, value in records:
        raw = name.encode("utf-8")
        out.write(struct.pack("<H", len(raw)) + raw + struct.pack("<d", value))
    return zlib.compress(out.getvalue(), 9)


def unpack(data):
    stream = io.BytesIO(zlib.decompress(data))
    if stream.read(4) != b"REC1":
        raise ValueError("bad magic")
    records = []
    while header := stream.read(2):
        (length,) = struct.unpack("<H", header)
        name = stream.read(length).decode("utf-8")
        (value,) = struct.unpack("<d", stream.read(8))
        records.append((name, value))
    return records


def main():
    records = [("alpha", 1.5), ("beta", -2.25)]
    return unpack(pack(records)) == records
