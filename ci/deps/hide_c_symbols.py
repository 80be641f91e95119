#!/usr/bin/env python3
"""Hides the C symbols that a shared library defines: hide_c_symbols.py LIBRARY.so

libparquet holds an OpenSSL of its own and exports it without versions, so that the dynamic loader
may bind our TLS code to it, or it to Debian's OpenSSL, depending on the order of the libraries.
The loader ignores hidden symbols and binds the library's own references to them inside the library,
by their index and not by their name. Linkers do not all ignore them, so all get the name and type of
the first one, too. C++ names stay as they are.
"""
import struct
import sys

SECTION = struct.Struct("<IIQQQQIIQQ")  # Elf64_Shdr
SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
SHT_DYNSYM = 11
STV_HIDDEN = 2
STT_OBJECT, STT_FUNC = 1, 2


def hide(data):
    if data[:6] != b"\x7fELF\x02\x01":
        raise SystemExit("not a little-endian 64-bit ELF file")
    offset = struct.unpack_from("<Q", data, 0x28)[0]
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [SECTION.unpack_from(data, offset + i * size) for i in range(count)]
    hidden = 0
    first = None
    for section in sections:
        if section[1] != SHT_DYNSYM:
            continue
        names = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], SYMBOL.size):
            name, info, other, index, _, _ = SYMBOL.unpack_from(data, at)
            text = data[names + name : data.index(b"\0", names + name)]
            if index == 0 or not text or text.startswith(b"_Z"):
                continue
            first = name if first is None else first
            struct.pack_into("<I", data, at, first)
            if info & 15 == STT_OBJECT:
                data[at + 4] = (info & ~15) | STT_FUNC
            data[at + 5] = (other & ~3) | STV_HIDDEN
            hidden += 1
    return hidden


def main():
    with open(sys.argv[1], "r+b") as file:
        data = bytearray(file.read())
        if hide(data) == 0:
            raise SystemExit(f"{sys.argv[1]} defines no C symbol: this step is no longer needed")
        file.seek(0)
        file.write(data)


if __name__ == "__main__":
    main()
