#!/usr/bin/env python3
"""Style as a test: what a reviewer would say twice is refused here. Run by pytest and make lint."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Third-party headers and the one module that may include them (production code only).
OWNED_HEADERS = {
    r"librdkafka/": "services/lib/kafka/",
    r"grpc(pp)?/": "services/lib/rpc/",
    r"boost/": ("services/lib/http/", "operator/k8s/rest_client.cc"),
    r"nghttp2/": "services/lib/http/",
    r"openssl/": ("services/lib/http/", "operator/k8s/", "operator/json/"),
    r"yaml-cpp/": "services/lib/config/",
    r"spdlog/": "services/lib/telemetry/",
    r"prometheus/": "services/lib/telemetry/",
    r"simdjson": "services/lib/otlp/",
    r"cpprest/": "operator/k8s/",
    r"nlohmann/": "operator/json/",
}

BANNED = [
    (r"\busing namespace\b(?!.*_literals)", "name what you use", r"\.h$"),
    (r"\bsleep_for\b|\bsleep_until\b|\busleep\(|[^_a-z]sleep\(", "wait on a condition with a deadline", r"\.(h|cc)$"),
    (r"std::thread\b(?!::)|\bstd::jthread\(", "start_thread() of base/thread.h", r"services/(?!lib/base/thread).*\.cc$"),
    (r"\bsystem_clock::now\(\)|\bsteady_clock::now\(\)", "take a Clock in the constructor", r"services/(?!lib/base/clock).*\.cc$"),
    (r"\brand\(\)|std::random_device", "take a Random in the constructor", r"services/(?!lib/base/random).*\.cc$"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "do it, or put it into an issue", r"\.(h|cc|py|sh|cmake|md)$"),
    (r"\bassert\(", "SPANWAY_CHECK or SPANWAY_ASSERT", r"\.(h|cc)$"),
    (r"\bthrow\b", "return an Error", r"services/.*\.(h|cc)$"),
]


def tracked(pattern):
    out = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in out.splitlines() if re.search(pattern, name) and (ROOT / name).exists()]


def code_lines(name):
    """Lines without comments and string literals, numbered."""
    for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1):
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        yield number, re.sub(r"//.*", "", code) if name.endswith((".h", ".cc")) else line


def test_third_party_headers_stay_in_their_module():
    bad = []
    for name in tracked(r"^(services|operator)/.*\.(h|cc)$"):
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            found = re.match(r"\s*#include <([^>]+)>", line)
            for header, owner in OWNED_HEADERS.items() if found else ():
                if re.match(header, found[1]) and not name.startswith(owner):
                    bad.append(f"{name}:{number}: <{found[1]}> belongs to {owner}")
    assert not bad, "\n".join(bad)


def test_banned_calls_are_not_used():
    bad = []
    for name in tracked(r"^(services|operator|ci|bench)/|\.md$"):
        if name == "tests/tidy/tidy_test.py" or not re.search(r"\.(h|cc|py|sh|cmake|md)$", name):
            continue
        rules = [(pattern, instead) for pattern, instead, files in BANNED if re.search(files, name)]
        for number, line in code_lines(name):
            bad += [f"{name}:{number}: {m[0]!r}: {i}" for p, i in rules if (m := re.search(p, line))]
    assert not bad, "\n".join(bad)


def test_lines_are_at_most_100_columns():
    # Text inside quotes may be longer: JSON in a test is easier to read in one piece.
    bad = []
    for name in tracked(r"\.(h|cc)$"):
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if len(line) > 100 and len(re.sub(r"[\"'{\[].*[\"'}\]]", "", line)) > 100 and "://" not in line:
                bad.append(f"{name}:{number}")
    assert not bad, "\n".join(bad)


def test_headers_have_pragma_once_and_a_first_comment():
    bad = []
    for name in tracked(r"^(services|operator)/.*\.h$"):
        text = (ROOT / name).read_text()
        if "#pragma once" not in text or not text.startswith("//"):
            bad.append(name)
    assert not bad, "\n".join(bad)


def test_every_library_and_service_has_a_readme():
    folders = {str(pathlib.Path(name).parent) for name in tracked(r"^services/.*CMakeLists\.txt$")} - {"services"}
    bad = [folder for folder in sorted(folders) if not (ROOT / folder / "README.md").exists()]
    assert not bad, "no README.md in: " + ", ".join(bad)


def test_every_test_source_is_built():
    bad = []
    for name in tracked(r"^tests/.*_(test|fuzz)\.cc$"):
        folder = (ROOT / name).parent
        lists = "".join(path.read_text() for path in [folder / "CMakeLists.txt", folder.parent / "CMakeLists.txt"] if path.exists())
        if pathlib.Path(name).name not in lists and pathlib.Path(name).stem not in lists:
            bad.append(name)
    assert not bad, "not in a CMakeLists.txt: " + ", ".join(bad)


def test_there_is_no_junk_drawer():
    bad = [name for name in tracked(r"(^|/)(utils?|common|helpers?|misc)(/|\.(h|cc)$)") if not name.startswith("proto/")]
    assert not bad, "\n".join(bad)


if __name__ == "__main__":
    failures = 0
    for test_name, test in sorted(globals().items()):
        if test_name.startswith("test_") and callable(test):
            try:
                test()
            except AssertionError as error:
                failures += 1
                print(f"{test_name}:\n{error}\n", file=sys.stderr)
    sys.exit(1 if failures else 0)
