#!/usr/bin/env python3
"""Writes an image as an OCI layout in a tar, without an engine or a registry.

  make_image.py NAME OUT.tar [--root FOLDER] [--file SOURCE:TARGET[:MODE]]... [--entrypoint WORD]...
                [--env NAME=VALUE]... [--label NAME=VALUE]... [--user UID[:GID]]

The same content gives the same bytes: times, owners and order do not depend on the machine.
Load it with `ctr -n k8s.io images import OUT.tar`, `docker load` or `kind load image-archive`.
"""
import argparse
import hashlib
import io
import json
import os
import pathlib
import tarfile


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--user", default="")
    for option in ("file", "entrypoint", "env", "label"):
        parser.add_argument("--" + option, action="append", default=[])
    return parser.parse_args()


class Layer:
    """One tar of files with everything that could differ between machines left out."""

    def __init__(self):
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)
        self._folders = {""}

    def _add(self, target, kind, mode, source=None, link=""):
        entry = tarfile.TarInfo(target)
        entry.type, entry.mode, entry.linkname = kind, mode, link
        if source is None:
            self._tar.addfile(entry)
            return
        entry.size = source.stat().st_size
        with source.open("rb") as content:
            self._tar.addfile(entry, content)

    def folder(self, target, mode=0o755):
        target = target.strip("/")
        if target not in self._folders:
            self.folder(os.path.dirname(target))
            self._folders.add(target)
            self._add(target, tarfile.DIRTYPE, mode)

    def file(self, source, target, mode):
        target = target.strip("/")
        self.folder(os.path.dirname(target))
        self._add(target, tarfile.REGTYPE, mode, pathlib.Path(source))

    def tree(self, root):
        for path in sorted(root.rglob("*")):
            target = str(path.relative_to(root))
            if path.is_symlink():
                self.folder(os.path.dirname(target))
                self._add(target, tarfile.SYMTYPE, 0o777, link=os.readlink(path))
            elif path.is_dir():
                self.folder(target)
            else:
                self.file(path, target, 0o755 if path.stat().st_mode & 0o111 else 0o644)

    def bytes(self):
        self._tar.close()
        return self._buffer.getvalue()


class Layout:
    """Blobs by digest, written as an OCI layout."""

    def __init__(self):
        self._blobs = {}

    def add(self, data, media_type):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self._blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def add_json(self, value, media_type):
        return self.add(json.dumps(value, sort_keys=True).encode(), media_type)

    def write(self, out, index):
        with tarfile.open(out, "w") as tar:
            files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
            files.update({"blobs/sha256/" + digest[7:]: data for digest, data in self._blobs.items()})
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))


def main():
    arguments = parse_arguments()
    layer = Layer()
    layer.folder("tmp", 0o1777)
    if arguments.root:
        layer.tree(arguments.root)
    for spec in arguments.file:
        source, target, mode = (spec.split(":") + ["755"])[:3]
        layer.file(source, target, int(mode, 8))
    layout, oci = Layout(), "application/vnd.oci.image."
    files = layout.add(layer.bytes(), oci + "layer.v1.tar")
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/bin:/bin", *arguments.env],
            "Entrypoint": arguments.entrypoint,
            "Labels": dict(label.split("=", 1) for label in arguments.label),
            "User": arguments.user,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [files["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci + "manifest.v1+json",
        "config": layout.add_json(config, oci + "config.v1+json"),
        "layers": [files],
    }
    entry = layout.add_json(manifest, manifest["mediaType"])
    names = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    entry["annotations"] = {name: arguments.name for name in names}
    layout.write(arguments.out, {"schemaVersion": 2, "manifests": [entry]})
    print(arguments.name, entry["digest"])


if __name__ == "__main__":
    main()
