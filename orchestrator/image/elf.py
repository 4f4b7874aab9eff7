"""Which shared libraries an ELF file asks the dynamic linker for: as much of the format as that needs.

``readelf`` and ``ldd`` are no part of a fresh machine, and ``ldd`` runs what it examines.
Layout: the System V ABI's ELF-64 header, program headers and dynamic section; little-endian only (x86-64, AArch64).
"""

from __future__ import annotations

import struct

from orchestrator.errors import ImageError

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB = 0, 1, 5


def is_elf(content: bytes) -> bool:
    return content.startswith(_MAGIC)


def needed(content: bytes) -> tuple[str, ...]:
    """The DT_NEEDED names of an ELF file, in its order; empty for a static one. ``ImageError`` if it is malformed."""
    try:
        return _needed(content)
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise ImageError(f"malformed ELF file: {error}") from error


def _needed(content: bytes) -> tuple[str, ...]:
    table_offset, entry_size, entry_count = (
        *struct.unpack_from("<Q", content, 32),
        *struct.unpack_from("<HH", content, 54),
    )
    segments = [struct.unpack_from("<IIQQQQ", content, table_offset + i * entry_size) for i in range(entry_count)]
    dynamic = [segment for segment in segments if segment[0] == _PT_DYNAMIC]
    if not dynamic:
        return ()
    tags = list(_tags(content, offset=dynamic[0][2], size=dynamic[0][5]))
    strings = [value for tag, value in tags if tag == _DT_STRTAB]
    if not strings:
        return ()
    start = _file_offset(segments, strings[0])
    return tuple(_string(content, start + value) for tag, value in tags if tag == _DT_NEEDED)


def _tags(content: bytes, *, offset: int, size: int) -> list[tuple[int, int]]:
    if offset + size > len(content):
        raise ValueError("the dynamic section lies outside the file")
    tags: list[tuple[int, int]] = []
    for tag, value in struct.iter_unpack("<qQ", content[offset : offset + size]):
        if tag == _DT_NULL:
            break
        tags.append((tag, value))
    return tags


def _file_offset(segments: list[tuple[int, ...]], address: int) -> int:
    for kind, _flags, offset, virtual, _physical, size in segments:
        if kind == _PT_LOAD and virtual <= address < virtual + size:
            return offset + address - virtual
    raise ValueError("the string table lies outside every loaded segment")


def _string(content: bytes, start: int) -> str:
    return content[start : content.index(b"\0", start)].decode("ascii")
