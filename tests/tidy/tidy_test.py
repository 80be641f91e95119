#!/usr/bin/env python3
"""Style as a test: what a reviewer would say twice is refused here. Run by pytest and make lint."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import vocabulary  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Third-party headers and the one module that may include them (production code only).
OWNED_HEADERS = {
    r"librdkafka/": "services/lib/kafka/",
    r"grpc(pp)?/": "services/lib/rpc/",
    r"boost/": ("services/lib/http/", "operator/k8s/rest_client.cc"),
    r"nghttp2/": "services/lib/http/",
    r"openssl/": ("services/lib/http/", "services/lib/objectstore/", "operator/k8s/", "operator/json/"),
    r"(arrow|parquet)/": "services/lib/parquet_file/arrow/",
    r"pugixml": "services/lib/objectstore/",
    r"yaml-cpp/": "services/lib/config/",
    r"spdlog/": "services/lib/telemetry/",
    r"prometheus/": "services/lib/telemetry/",
    r"simdjson": "services/lib/otlp/",
    r"cpprest/": "operator/k8s/",
    r"nlohmann/": "operator/json/",
    r"libpq-fe": "services/demo/student/",
}

BANNED = [
    (r"\busing namespace\b(?!.*_literals)", "name what you use", r"\.h$"),
    (r"\bsleep_for\b|\bsleep_until\b|\busleep\(|[^_a-z]sleep\(", "wait on a condition with a deadline", r"\.(h|cc)$"),
    (r"std::thread\b(?!::)|\bstd::jthread\(", "start_thread() of base/thread.h", r"services/(?!lib/base/thread).*\.cc$"),
    (r"\bsystem_clock::now\(\)|\bsteady_clock::now\(\)", "take a Clock in the constructor", r"services/(?!lib/base/clock).*\.cc$"),
    (r"\brand\(\)|std::random_device", "take a Random in the constructor", r"services/(?!lib/base/random).*\.cc$"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "do it, or put it into an issue", r"\.(h|cc|py|sh|cmake|md)$"),
    (r"\bassert\(", "SPANWAY_CHECK or SPANWAY_ASSERT", r"\.(h|cc)$"),
    (r"\b(struct|class|enum class) (Held|Look|Machine|Truth|Verdict)\b", "the thing's own name, see CONTRIBUTING", r"^(services|operator)/.*\.(h|cc)$"),
    (r"\b(ask|see|tell)\(", "read, poll, call, observe, report", r"^(services|operator)/.*\.(h|cc)$"),
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


def test_every_readme_says_what_must_not_go_in():
    bad = []
    for name in tracked(r"/README\.md$"):
        if not re.search(r"Does not belong here:|[Mm]ust not go in|belongs here only if", (ROOT / name).read_text()):
            bad.append(name)
    assert not bad, "does not say what must not go in:\n" + "\n".join(bad)


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


LINES_MAX = 500

# Source files without a header of their own, and the one header whose declarations they implement.
IMPLEMENTS = {
    "operator/api/crd.cc": "operator/api/declaration.h",
    "operator/api/declaration_exporter.cc": "operator/api/declaration_parts.h",
    "operator/api/declaration_ingress.cc": "operator/api/declaration_parts.h",
    "operator/api/declaration_kafka.cc": "operator/api/declaration_parts.h",
    "operator/api/declaration_pods.cc": "operator/api/declaration_parts.h",
    "operator/api/declaration_query.cc": "operator/api/declaration_parts.h",
    "operator/api/kubernetes_schema.cc": "operator/api/kubernetes_types.h",
    "operator/api/crd_markdown.cc": "operator/api/declaration.h",
    "operator/api/pipeline_reader.cc": "operator/api/declaration.h",
    "operator/api/status_schema.cc": "operator/api/schema.h",
    "operator/api/transition.cc": "operator/api/declaration.h",
    "operator/decide/rollout_availability.cc": "operator/decide/rollout_state_machine.h",
    "operator/decide/rollout_rollback.cc": "operator/decide/rollout_state_machine.h",
    "operator/decide/rollout_install.cc": "operator/decide/rollout_state_machine.h",
    "operator/decide/rollout_reports.cc": "operator/decide/rollout_state_machine.h",
    "operator/decide/rollout_steps.cc": "operator/decide/rollout_state_machine.h",
    "operator/decide/status_conditions.cc": "operator/decide/status_builder.h",
    "operator/decide/status_progress.cc": "operator/decide/status_builder.h",
    "operator/decide/status_risks.cc": "operator/decide/status_builder.h",
    "operator/decide/status_storage.cc": "operator/decide/status_builder.h",
    "operator/render/config_check.cc": "operator/render/render.h",
    "services/kafka-bridge/consume/partition_lane_stalls.cc": "services/kafka-bridge/consume/partition_lane.h",
    "services/kafka-bridge/consume/partition_lane_reread.cc": "services/kafka-bridge/consume/partition_lane.h",
    "services/kafka-bridge/consume/partition_lane_slots.cc": "services/kafka-bridge/consume/partition_lane.h",
    "services/kafka-bridge/consume/partition_lane_position.cc": "services/kafka-bridge/consume/partition_lane.h",
    "services/kafka-bridge/consume/delivery_refusals.cc": "services/kafka-bridge/consume/delivery.h",
    "services/kafka-bridge/consume/consumer_group_status.cc": "services/kafka-bridge/consume/consumer_group.h",
    "services/lib/config/json_schema.cc": "services/lib/config/load.h",
    "services/lib/config/markdown.cc": "services/lib/config/load.h",
    "services/lib/config/print.cc": "services/lib/config/load.h",
    "services/lib/config/sources.cc": "services/lib/config/load.h",
    "services/lib/config/unused_sections.cc": "services/lib/config/section_loader.h",
    "services/lib/http/client/client.cc": "services/lib/http/client.h",
    "services/lib/http/client/http2_client.cc": "services/lib/http/http2_client.h",
    "services/lib/http/client/url.cc": "services/lib/http/client.h",
    "services/lib/http/coding/accept_encoding.cc": "services/lib/http/accept_encoding.h",
    "services/lib/http/coding/content_coding.cc": "services/lib/http/content_coding.h",
    "services/lib/http/coding/snappy.cc": "services/lib/http/snappy.h",
    "services/lib/http/net/io_pool.cc": "services/lib/http/io_pool.h",
    "services/lib/http/net/tls.cc": "services/lib/http/tls.h",
    "services/lib/http/net/tls_reloader.cc": "services/lib/http/tls_reloader.h",
    "services/lib/http/net/tls_transport.cc": "services/lib/http/net/transport.h",
    "services/lib/http/server/http2_receive.cc": "services/lib/http/server/http2_session_impl.h",
    "services/lib/http/server/http2_send.cc": "services/lib/http/server/http2_session_impl.h",
    "services/lib/http/server/server.cc": "services/lib/http/server.h",
    "services/lib/http/server/web_socket.cc": "services/lib/http/web_socket.h",
    "services/lib/otlp/json_from_wire.cc": "services/lib/otlp/otlp_json.h",
    "services/lib/parquet_file/arrow/module.cc": "services/lib/parquet_file/codec_loader.h",
    "services/lib/rpc/client_options.cc": "services/lib/rpc/otlp_grpc_sink.h",
    "services/lib/rpc/gatekeeper.cc": "services/lib/rpc/export_service.h",
    "services/lib/runtime/program.cc": "services/lib/runtime/service.h",
    "services/query/logql/binary.cc": "services/query/logql/step_evaluator.h",
    "services/query/logql/formatters.cc": "services/query/logql/stage_pipeline.h",
    "services/query/logql/label_filter.cc": "services/query/logql/stage_pipeline.h",
    "services/query/logql/line_filter.cc": "services/query/logql/stage_pipeline.h",
    "services/query/logql/parse_aggregates.cc": "services/query/logql/parse_state.h",
    "services/query/logql/parse_label_filters.cc": "services/query/logql/parse_state.h",
    "services/query/logql/parse_stages.cc": "services/query/logql/parse_state.h",
    "services/query/logql/extraction_stages.cc": "services/query/logql/stage_pipeline.h",
    "services/query/logql/printer.cc": "services/query/logql/ast.h",
    "services/query/logql/range_aggregate.cc": "services/query/logql/step_evaluator.h",
    "services/query/logql/template_execute.cc": "services/query/logql/template.h",
    "services/query/logql/template_functions.cc": "services/query/logql/template_node.h",
    "services/query/logql/template_parser.cc": "services/query/logql/template.h",
    "services/query/logql/template_values.cc": "services/query/logql/template_node.h",
    "services/query/logql/validate.cc": "services/query/logql/parser.h",
    "services/query/logql/vector_aggregate.cc": "services/query/logql/step_evaluator.h",
    "services/query/promql/aggregate.cc": "services/query/promql/evaluator.h",
    "services/query/promql/aggregate_k.cc": "services/query/promql/evaluator.h",
    "services/query/promql/binary.cc": "services/query/promql/evaluator.h",
    "services/query/promql/calls.cc": "services/query/promql/evaluator.h",
    "services/query/promql/duration.cc": "services/query/promql/lexer.h",
    "services/query/promql/extended_rates.cc": "services/query/promql/rates.h",
    "services/query/promql/histogram_arithmetic.cc": "services/query/promql/histogram.h",
    "services/query/promql/histogram_calls.cc": "services/query/promql/evaluator.h",
    "services/query/promql/histogram_trim.cc": "services/query/promql/histogram.h",
    "services/query/promql/info_call.cc": "services/query/promql/evaluator.h",
    "services/query/promql/label_calls.cc": "services/query/promql/evaluator.h",
    "services/query/promql/note_texts.cc": "services/query/promql/evaluator.h",
    "services/query/promql/over_time.cc": "services/query/promql/evaluator.h",
    "services/query/promql/parse_durations.cc": "services/query/promql/parse_state.h",
    "services/query/promql/parse_selectors.cc": "services/query/promql/parse_state.h",
    "services/query/promql/printer.cc": "services/query/promql/ast.h",
    "services/query/promql/range_calls.cc": "services/query/promql/evaluator.h",
    "services/query/promql/selectors.cc": "services/query/promql/evaluator.h",
    "services/query/promql/statistics.cc": "services/query/promql/evaluator.h",
    "services/query/promql/type_check.cc": "services/query/promql/parse_state.h",
    "services/query/traceql/field_values.cc": "services/query/traceql/engine.h",
    "services/query/traceql/duration.cc": "services/query/traceql/lexer.h",
    "services/query/traceql/evaluate_metrics.cc": "services/query/traceql/engine.h",
    "services/query/traceql/parse_fields.cc": "services/query/traceql/parse_state.h",
    "services/query/traceql/parse_metrics.cc": "services/query/traceql/parse_state.h",
    "services/query/traceql/parse_pipeline.cc": "services/query/traceql/parse_state.h",
    "services/query/traceql/printer.cc": "services/query/traceql/ast.h",
    "services/query/traceql/type_check.cc": "services/query/traceql/parse_state.h",
}

# A name of a header or source means one thing, but for the roles that each module may fill.
ROLES = {
    "config", "events", "factory", "options", "program",
    # The parts of each query language's engine.
    "arithmetic", "ast", "binary", "duration", "engine", "lexer", "parse_state", "parser", "printer", "token", "type_check", "value",
}

# Folders whose headers have another namespace than the folder's own or that of a folder above it.
NAMESPACES = {
    "services/lib/base": "spanway",
    "services/lib/endpoint_config": "spanway",
    # The Kubernetes client and the values it returns are one namespace.
    "operator/json": "kube",
    "operator/k8s": "kube",
    "operator/cache": "kube",
}

# What exists once, by the text that only a second one would hold, and where the one is.
ONE_OF_EACH = {
    "JSON string escaper (base/json_writer.h)": (
        r'\\\\u(%04x|00)?"|"u00"|\'u\', \'0\'',
        {"services/lib/base/json_writer.cc", "services/lib/otlp/json_text.cc", "services/lib/sinks/json_append.cc"},
    ),
    "walk over an AnyValue that writes text (otlp/value_json.h)": (
        r"KvlistReader \w+\(",
        # The hot encoder of Zipkin's JSON; flat labels, which have no nesting.
        {"services/lib/otlp/value_json.cc", "services/lib/sinks/json_append.cc", "services/lib/logstreams/resource_labels.cc"},
    ),
    "base64 (base/base64.h)": (
        r"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\+/",
        {"services/lib/base/base64.cc"},
    ),
    "flag parser (runtime/flags.h)": (
        r'starts_with\("--"\)|== "--[a-z-]+"',
        {"services/lib/runtime/flags.cc", "services/lib/runtime/tool.cc"},
    ),
    "lower case of ASCII (base/ascii.h)": (r"- 'A' \+ 'a'|std::tolower|c \+ 32\b", {"services/lib/base/ascii.h"}),
    "trim (base/ascii.h)": (
        r"while \([^;{]*(front|back)\(\) == ' '[^;{]*(remove_prefix|remove_suffix|pop_back)",
        set(),
    ),
    "hex digits (base/hex.h)": (r'"0123456789(abcdef|ABCDEF)"|%02x|%016', {"services/lib/base/hex.h"}),
    "percent-encoding (base/percent_encoding.h)": (r"\+= '%';|push_back\('%'\)", {"services/lib/base/percent_encoding.cc"}),
    "UTF-8 truncation (base/utf8.h)": (r"(?i)0xc0\) == 0x80\) --", {"services/lib/base/utf8.cc"}),
    "bounded file read (base/file.h)": (
        r"std::ifstream|istreambuf_iterator",
        set(),
    ),
    "markdown cell (base/markdown.h)": (r"if \(c == '\|'\)", {"services/lib/base/markdown.h"}),
    "escape of a dollar (config/substitute.h)": (r"if \(c == '\$'\)", {"services/lib/config/substitute.cc"}),
    "JSON pointer (operator/json/json_pointer.h)": (r'"~[01]"', {"operator/json/json_pointer.h"}),
    "closable executor (base/closable_executor.h)": (r"class \w*Mailbox|executor_ = nullptr", {"services/lib/base/closable_executor.h"}),
    "struct of TLS settings (endpoint_config/tls_config.h)": (
        r"struct \w*Tls(Client|Server)?(Files|Options)\b|tls_(ca|certificate|key)_file\b",
        set(),
    ),
    "reload loop of certificates (http/tls_reloader.h)": (r"reload_tls_later|TicksPerReload.*[Cc]ertif|SamplesPerTls", set()),
    "client socket (http/client/client_socket.h)": (
        r"async_resolve\(|async_connect\(",
        {"services/lib/http/client/client_socket.cc"},
    ),
    "alive flag (base/callback_guard.h)": (r"weak_ptr<int>|make_shared<int>\(0\)|weak_ptr\(alive_\)", set()),
}


def prose_files():
    return [
        name
        for name in tracked(
            r"^(services|operator|tests|ci|bench)/.*\.(h|cc|py|sh|sql|md|cmake|txt|supp|patch)$"
            r"|^[A-Z]+\.md$|^(helm|k8s)/.*\.(yaml|tpl|txt|md)$|^helm/.*dashboards/|^proto/[a-z]+\.yaml$"
        )
        if not vocabulary.EXEMPT.search(name)
    ]


def test_vocabulary_is_the_fields_own():
    bad = []
    for name in prose_files():
        found = vocabulary.occurrences((ROOT / name).read_text(errors="replace"))
        bad += [f"{name}:{number}: {word!r}: {instead}" for number, word, instead in found]
    assert not bad, "\n".join(bad)


def test_texts_begin_with_the_noun_or_the_verb():
    # Documentation of keys, metrics, members and fields. Comments are checked by the vocabulary.
    bad = []
    for name in tracked(r"^(services|operator)/.*\.(h|cc)$|^(helm|k8s|proto)/.*\.(yaml|json)$"):
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1):
            if found := re.search(r"(\"|\bdescription: )(What|Whether|Who|Whose|Of) [^\"]*", line):
                bad.append(f"{name}:{number}: {found[0][:60]}")
    assert not bad, "\n".join(bad)


def test_names_of_tests_are_the_fields_own():
    bad = []
    for name in tracked(r"^tests/.*\.cc$"):
        for test_name in re.findall(r"\bTEST(?:_F|_P)?\(\s*\w+,\s*(\w+)\)", (ROOT / name).read_text(errors="replace")):
            words = vocabulary.as_words(test_name).lower()
            bad += [f"{name}: {test_name}: {instead}" for _, _, instead in vocabulary.occurrences(words)]
    assert not bad, "\n".join(bad)


def test_files_are_short():
    bad = []
    for name in tracked(r"\.(h|cc|py|sh)$"):
        lines = (ROOT / name).read_text(errors="replace").count("\n")
        if lines > LINES_MAX:
            bad.append(f"{name}: {lines} lines; split it by what it does (at most {LINES_MAX})")
    assert not bad, "\n".join(bad)


def test_every_source_has_its_header():
    bad = []
    for name in tracked(r"^(services|operator)/.*\.cc$"):
        header = name[:-3] + ".h"
        if (ROOT / header).exists() or name.endswith("/main.cc"):
            continue
        implemented = IMPLEMENTS.get(name)
        if implemented is None or not (ROOT / implemented).exists():
            bad.append(f"{name}: has no header, and IMPLEMENTS names none")
    bad += [f"{name}: gone; remove it from IMPLEMENTS" for name in IMPLEMENTS if not (ROOT / name).exists()]
    assert not bad, "\n".join(bad)


def test_a_name_stands_for_one_thing():
    places = {}
    for name in tracked(r"^(services|operator)/.*\.(h|cc)$"):
        if not name.endswith("/main.cc"):
            places.setdefault(pathlib.Path(name).name, []).append(name)
    twice = {name: where for name, where in places.items() if len(where) > 1}
    bad = [f"{name}: {', '.join(where)}" for name, where in twice.items() if pathlib.Path(name).stem not in ROLES]
    bad += [f"{role}: fewer than two files; remove it from ROLES" for role in sorted(ROLES)
            if not {f"{role}.h", f"{role}.cc"} & twice.keys()]
    assert not bad, "\n".join(bad)


def test_a_folder_is_a_namespace():
    bad = []
    for name in tracked(r"^(services|operator)/.*\.h$"):
        folder = str(pathlib.Path(name).parent)
        own = [part.replace("-", "_") for part in folder.split("/")]
        for found in re.finditer(r"^namespace spanway(?:::(\w+))?[\w:]* \{(?=\n(?!(class|struct) \w+;\n))", (ROOT / name).read_text(), re.M):
            space = found[1] or "spanway"
            if space != NAMESPACES.get(folder) and (folder in NAMESPACES or space not in own):
                bad.append(f"{name}: namespace {space}")
    assert not bad, "differs from the name of its folder:\n" + "\n".join(bad)


def test_there_is_one_of_each():
    bad = []
    for thing, (pattern, owners) in ONE_OF_EACH.items():
        for name in tracked(r"^(services|operator)/.*\.(h|cc)$"):
            if re.search(pattern, (ROOT / name).read_text()) and name not in owners:
                bad.append(f"{name}: a second {thing}")
        bad += [f"{name}: clean; remove it from the owners of {thing}" for name in owners
                if not (ROOT / name).exists() or not re.search(pattern, (ROOT / name).read_text())]
    assert not bad, "\n".join(bad)


def layers_of(cell):
    """{2, 5, 6, 7} of "2, 5-7"."""
    ranges = [part.split("-") for part in cell.split(",")]
    return {layer for part in ranges for layer in range(int(part[0]), int(part[-1]) + 1)}


def test_the_architecture_names_every_library():
    rows = re.findall(r"^\| (\d[\d, -]*) \| ([^|]*) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.M)
    bad = []
    for name in tracked(r"^(services|operator)/.*CMakeLists\.txt$"):
        libraries = re.findall(r"spanway_library\(\s*NAME (\w+)\s(?:\s*SHARED\s)?\s*LAYER (\d+)", (ROOT / name).read_text())
        for library, layer in libraries:
            short = re.sub(r"^operator_?|_(client|transport)$", "", library)
            shown = set()
            for layers, names in rows:
                for word, own in re.findall(r"`([\w<>]+)`(?: \((\d+)\))?", names):
                    if word in (library, f"operator_{short}", f"_{short}") or (word == "<service>_config" and library.endswith("_config")):
                        shown |= {int(own)} if own else layers_of(layers)
            if int(layer) not in shown:
                bad.append(f"{name}: {library} of layer {layer}, shown in {sorted(shown)}")
    assert not bad, "differs from the layers of ARCHITECTURE.md:\n" + "\n".join(bad)


def test_paths_in_the_documents_exist():
    # `kafka-bridge/config.h`, `rollout.*`-like names with a folder, and folders that end in a slash.
    roots = ["", "services", "services/lib", "services/lib/http", "operator", "ci", "tests"]
    bad = []
    for document in tracked(r"\.md$"):
        if document == "CHANGELOG.md" or document.startswith("ci/adr/"):
            continue  # They speak of the tree as it was.
        folder = (ROOT / document).parent
        for path in re.findall(r"`([a-z.][\w./-]*/[\w.*-]*)`", (ROOT / document).read_text()):
            if re.search(r"\.(h|cc|py|sh|\*)$|/$", path) and "<" not in path and not re.match(r"\.?/|build/", path):
                pattern = path.rstrip("/")
                beside = any((folder / part).exists() for part in [path.removesuffix(".*"), path.removesuffix("*") + "h"])
                if not beside and not any(
                    next((ROOT / root).glob(pattern), None) for root in roots if not pattern.startswith("..")
                ):
                    bad.append(f"{document}: {path}")
    assert not bad, "\n".join(bad)


def test_files_in_the_tables_of_a_readme_exist_beside_it():
    bad = []
    for document in tracked(r"^(services|operator)/.*README\.md$"):
        folder = (ROOT / document).parent
        for cell in re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) ?\|", (ROOT / document).read_text(), re.M):
            for name in re.findall(r"`([\w./-]+\.(?:h|cc|py|sh))`", cell):
                if not (folder / name).exists() and not list(folder.rglob(name)):
                    bad.append(f"{document}: {name}")
    assert not bad, "\n".join(bad)


def test_every_file_has_a_place():
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    known = re.compile(r"^(\.[a-z-]+|[A-Z]+(\.md)?|CMakeLists\.txt|CMakePresets\.json|Makefile)$")
    bad = [repr(name) for name in out.split("\0") if name and "/" not in name and not known.match(name)]
    assert not bad, "in the root, where a test may have left them: " + ", ".join(bad)


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
