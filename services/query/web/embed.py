#!/usr/bin/env python3
"""Writes the page's files as one C++ source: embed.py OUT.cc [FOLDER_OF_THE_PAGE NODE_MODULES].

Each file is compressed, and served below /assets/<hash of all files>, so that a browser keeps it for ever; the
page itself, index.html, names that folder. Without the folders there is no page.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
    ".js": "text/javascript; charset=utf-8", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip
# Files of the libraries; those that are no modules export their one name.
LIBRARIES = {
    "vendor/preact.js": ("htm/preact/standalone.module.js", ""),
    "vendor/uplot.js": ("uplot/dist/uPlot.iife.min.js", "\nexport default uPlot;\n"),
    "vendor/uplot.css": ("uplot/dist/uPlot.min.css", ""),
    "vendor/dagre.js": ("@dagrejs/dagre/dist/dagre.esm.js", ""),
}
LICENCES = ("htm", "uplot", "@dagrejs/dagre", "@dagrejs/graphlib")
HEAD = """// Written by services/query/web/embed.py.
#include <array>

#include "services/query/web/asset_handler.h"

namespace spanway::query::web {
"""


def without_source_map(text):
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//# sourceMappingURL="))


def read_files(page, modules):
    files = {}
    for path in sorted(page.rglob("*")):
        if path.is_file():
            files[path.relative_to(page).as_posix()] = path.read_bytes()
    for name, (source, suffix) in LIBRARIES.items():
        files[name] = (without_source_map((modules / source).read_text()) + suffix).encode()
    notices = [f"{name}\n\n{next((modules / name).glob('LICENSE*')).read_text().strip()}\n" for name in LICENCES]
    # standalone.module.js of htm holds preact, too, which has the same terms as dagre.
    files["licences.txt"] = "\n\n".join([*notices, "preact\n\nMIT, Copyright (c) 2015-present Jason Miller\n"]).encode()
    return files


def versioned(files):
    """Served path -> (content, content type)."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    folder = f"assets/{digest.hexdigest()[:16]}"
    served = {}
    for name, content in files.items():
        kind = TYPES[pathlib.PurePosixPath(name).suffix]
        if name == "index.html":
            served["/"] = (content.replace(b"{assets}", folder.encode()), kind)
        else:
            served[f"/{folder}/{name}"] = (content, kind)
    return served


def literal(content):
    """String literals, a line each: octal escapes, which end after three digits."""
    lines = []
    for at in range(0, len(content), 64):
        lines.append('"' + "".join(f"\\{byte:03o}" for byte in content[at : at + 64]) + '"')
    return "\n".join(lines)


def source(served):
    if not served:
        return HEAD + "\nstd::span<const Asset> built_in_assets() { return {}; }\n\n}  // namespace spanway::query::web\n"
    text = HEAD + "namespace {\n\n"
    rows = []
    for number, (path, (content, kind)) in enumerate(sorted(served.items())):
        packed = gzip.compress(content, 9, mtime=0)
        text += f"constexpr char kFile{number}[] =\n{literal(packed)};\n"
        hash_ = hashlib.sha256(content).hexdigest()[:16]
        rows.append(f'{{"{path}", "{kind}", "{hash_}", {{kFile{number}, {len(packed)}}}, {len(content)}}},\n')
    text += f"\nconstexpr std::array<Asset, {len(rows)}> kAssets = {{{{\n{''.join(rows)}}}}};\n\n}}  // namespace\n"
    return text + "\nstd::span<const Asset> built_in_assets() { return kAssets; }\n\n}  // namespace spanway::query::web\n"


def main(out, page=None, modules=None):
    files = read_files(pathlib.Path(page), pathlib.Path(modules)) if page else {}
    pathlib.Path(out).write_text(source(versioned(files) if files else {}))


if __name__ == "__main__":
    main(*sys.argv[1:])
