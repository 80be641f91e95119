// Stages that make labels of lines: json, logfmt, regexp, pattern, unpack.
#include <algorithm>
#include <optional>
#include <utility>

#include "services/lib/base/utf8.h"
#include "services/query/labels/regex.h"
#include "services/query/logql/json_scan.h"
#include "services/query/logql/line_pattern.h"
#include "services/query/logql/logfmt_scan.h"
#include "services/query/logql/stage_pipeline.h"

namespace spanway::query::logql {
namespace {

constexpr std::string_view kJsonError = "JSONParserErr";
constexpr std::string_view kLogfmtError = "LogfmtParserErr";
constexpr std::string_view kPackedEntry = "_entry";
constexpr std::size_t kJsonDepthMax = 128;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\v\f\r";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

// Appends a key as a part of a label's name: each character that may not be in one becomes '_'.
void append_name(std::string_view key, std::string& out) {
  key = trimmed(key);
  if (out.empty() && !key.empty() && is_digit(key[0])) out += '_';
  while (!key.empty()) {
    const std::size_t bytes = std::max<std::size_t>(decode_utf8(key).length, 1);
    out += is_name(key[0]) ? key[0] : '_';
    key.remove_prefix(bytes);
  }
}
std::string name_of(std::string_view key) {
  std::string name;
  append_name(key, name);
  return name;
}

std::string free_name(std::string name, const PipelineLabels& labels) {
  if (labels.is_taken(name)) name += kExtractedSuffix;
  return name;
}
bool wants(const PipelineLabels& labels, std::string_view name) {
  return labels.hints().should_extract(name) && !labels.was_extracted(name);
}

std::string value_of(const JsonValue& value) {
  switch (value.type) {
    case JsonType::kString:
      return json_text(value.raw).value_or("");
    case JsonType::kNumber:
    case JsonType::kBoolean:
      return std::string(value.raw);
    default:
      return "";
  }
}

std::string with_spaces_for_broken_utf8(std::string text) {
  if (is_valid_utf8(text)) return text;
  std::string valid;
  for (std::string_view rest = text; !rest.empty();) {
    const CodePoint point = decode_utf8(rest);
    valid += point.length == 0 ? std::string_view(" ") : rest.substr(0, point.length);
    rest.remove_prefix(std::max<std::size_t>(point.length, 1));
  }
  return valid;
}

class JsonParser final : public StageRunner {
 public:
  bool run(std::int64_t, std::string& line, PipelineLabels& labels) const override {
    if (labels.needs_no_more()) return true;
    std::vector<std::string> path;
    std::string nested;
    std::string error = members(line, path, labels, nested);
    if (error.empty()) error = std::move(nested);
    if (!error.empty()) labels.set_parser_error(kJsonError, std::move(error));
    return true;
  }

 private:
  static std::string joined(const std::vector<std::string>& path) {
    std::string name;
    for (const std::string& part : path) {
      if (trimmed(part).empty()) continue;
      if (!name.empty()) name += '_';
      append_name(part, name);
    }
    return name;
  }

  // Returns the mistake of this object; `nested` has the one of an object inside.
  static std::string members(std::string_view object, std::vector<std::string>& path,
                             PipelineLabels& labels, std::string& nested) {
    if (path.size() > kJsonDepthMax) return "Malformed JSON error";
    return each_member(object, [&](std::string_view key, const JsonValue& value) {
      path.emplace_back(key);
      JsonStep step = JsonStep::kContinue;
      if (value.type == JsonType::kObject) {
        if (labels.hints().should_extract_prefix(joined(path))) {
          std::string own = members(value.raw, path, labels, nested);
          if (!own.empty()) nested = std::move(own);
        }
        if (!nested.empty()) step = JsonStep::kStop;
      } else if (value.type == JsonType::kString || value.type == JsonType::kNumber ||
                 value.type == JsonType::kBoolean) {
        extract(path, value, labels);
      }
      path.pop_back();
      return labels.all_extracted() ? JsonStep::kStop : step;
    });
  }

  static void extract(std::vector<std::string>& path, const JsonValue& value,
                      PipelineLabels& labels) {
    std::string name = joined(path);
    if (name.empty()) return;
    if (labels.is_taken(name)) {
      path.back() += kExtractedSuffix;
      name = joined(path);
    }
    if (wants(labels, name)) labels.set_parsed(name, value_of(value));
  }
};

class JsonExpressionParser final : public StageRunner {
 public:
  using Paths = std::vector<std::pair<std::string, std::vector<std::string>>>;
  explicit JsonExpressionParser(Paths paths) : paths_(std::move(paths)) {}
  bool run(std::int64_t, std::string& line, PipelineLabels& labels) const override {
    if (line.empty() || labels.needs_no_more()) return true;
    if (line[0] != '"' && line[0] != '{' && line[0] != '[') {
      labels.set_parser_error(kJsonError, "");
      return true;
    }
    for (const auto& [name, path] : paths_) {
      const auto value = find_json(line, path);
      if (!value) {
        if (!labels.get(name)) labels.set_parsed(name, "");
        continue;
      }
      const bool is_raw = value->type == JsonType::kObject || value->type == JsonType::kNull;
      labels.set_parsed(free_name(name, labels), value->type == JsonType::kNull ? ""
                                                 : is_raw ? std::string(value->raw)
                                                          : json_text(value->raw).value_or(""));
    }
    return true;
  }

 private:
  const Paths paths_;
};

class LogfmtParser final : public StageRunner {
 public:
  LogfmtParser(bool strict, bool keep_empty) : strict_(strict), keep_empty_(keep_empty) {}
  bool run(std::int64_t, std::string& line, PipelineLabels& labels) const override {
    if (labels.needs_no_more()) return true;
    LogfmtScan scan(line);
    while (!scan.at_end()) {
      if (!scan.next()) {
        if (strict_) break;
        continue;
      }
      std::string name = name_of(scan.key());
      if (name.empty()) continue;
      name = free_name(std::move(name), labels);
      if (!wants(labels, name)) continue;
      if (!keep_empty_ && scan.value().empty()) continue;
      labels.set_parsed(name, with_spaces_for_broken_utf8(scan.value()));
      if (labels.all_extracted()) break;
    }
    if (strict_ && !scan.error().empty()) labels.set_parser_error(kLogfmtError, scan.error());
    return true;
  }

 private:
  const bool strict_;
  const bool keep_empty_;
};

class LogfmtExpressionParser final : public StageRunner {
 public:
  using Keys = std::vector<std::pair<std::string, std::string>>;  // Label and key.
  LogfmtExpressionParser(Keys keys, bool strict) : keys_(std::move(keys)), strict_(strict) {}
  bool run(std::int64_t, std::string& line, PipelineLabels& labels) const override {
    if (labels.needs_no_more()) return true;
    for (const auto& [label, key] : keys_)
      if (!labels.is_taken(label)) labels.set_parsed(label, "");
    LogfmtScan scan(line);
    while (!scan.at_end()) {
      if (!scan.next()) {
        if (strict_) break;
        continue;
      }
      const std::string key = name_of(scan.key());
      const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const auto& one) {
        return one.second == key || one.first == key;
      });
      if (key.empty() || found == keys_.end()) continue;
      std::string name = found->first;
      if (labels.is_taken(name)) {
        name += kExtractedSuffix;
        if (!wants(labels, name)) break;
      }
      labels.set_parsed(name, is_valid_utf8(scan.value()) ? scan.value() : "");
      if (labels.all_extracted()) break;
    }
    if (strict_ && !scan.error().empty()) labels.set_parser_error(kLogfmtError, scan.error());
    return true;
  }

 private:
  const Keys keys_;
  const bool strict_;
};

class RegexpParser final : public StageRunner {
 public:
  explicit RegexpParser(Regex regex) : regex_(std::move(regex)), names_(regex_.group_names()) {}
  bool run(std::int64_t, std::string& line, PipelineLabels& labels) const override {
    std::vector<std::string_view> groups;
    if (!regex_.find(line, 0, groups)) return true;
    // The groups are views of the line, which no label shares.
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i].empty()) continue;
      const std::string name = free_name(name_of(names_[i]), labels);
      if (wants(labels, name)) labels.set_parsed(name, std::string(groups[i + 1]));
    }
    return true;
  }

 private:
  const Regex regex_;
  const std::vector<std::string> names_;
};

class PatternParser final : public StageRunner {
 public:
  explicit PatternParser(LinePattern pattern) : pattern_(std::move(pattern)) {}
  bool run(std::int64_t, std::string& line, PipelineLabels& labels) const override {
    if (labels.needs_no_more()) return true;
    for (const auto& [capture, value] : pattern_.captures(line)) {
      const std::string name = free_name(std::string(capture), labels);
      if (wants(labels, name)) labels.set_parsed(name, std::string(value));
    }
    return true;
  }

 private:
  const LinePattern pattern_;
};

class UnpackParser final : public StageRunner {
 public:
  bool run(std::int64_t, std::string& line, PipelineLabels& labels) const override {
    if (line.empty() || labels.needs_no_more()) return true;
    if (line[0] != '{') {
      labels.set_parser_error(kJsonError, "expecting json object(6), but it is not");
      return true;
    }
    std::optional<std::string> entry;
    std::vector<std::pair<std::string, std::string>> found;
    bool has_bad_escape = false;
    std::string error = each_member(line, [&](std::string_view key, const JsonValue& value) {
      if (value.type != JsonType::kString) return JsonStep::kContinue;
      if (key == kPackedEntry) {
        entry = json_text(value.raw);
        has_bad_escape = !entry;
        return has_bad_escape ? JsonStep::kStop : JsonStep::kContinue;
      }
      const std::string name = free_name(std::string(key), labels);
      if (wants(labels, name)) found.emplace_back(name_of(name), json_text(value.raw).value_or(""));
      return JsonStep::kContinue;
    });
    if (has_bad_escape) error = "Encountered an invalid escape sequence in a string";
    if (!error.empty()) {
      labels.set_parser_error(kJsonError, std::move(error));
      return true;
    }
    if (!entry) return true;
    for (auto& [name, value] : found) labels.set_parsed(name, std::move(value));
    line = std::move(*entry);
    return true;
  }
};

Error bad_expression(const Extraction& extraction, const std::string& why) {
  return invalid_argument("cannot parse expression [" + extraction.expression + "]: " + why)
      .with_reason("bad_query");
}

Result<StageRunnerPtr> make_json(const Stage& stage) {
  if (stage.extractions.empty()) return StageRunnerPtr(std::make_unique<JsonParser>());
  JsonExpressionParser::Paths paths;
  for (const Extraction& extraction : stage.extractions) {
    std::string why;
    auto path = parse_json_path(extraction.expression, why);
    if (!path) return bad_expression(extraction, why);
    paths.emplace_back(extraction.label, std::move(*path));
  }
  return StageRunnerPtr(std::make_unique<JsonExpressionParser>(std::move(paths)));
}

Result<StageRunnerPtr> make_logfmt(const Stage& stage) {
  if (stage.extractions.empty())
    return StageRunnerPtr(std::make_unique<LogfmtParser>(stage.strict, stage.keep_empty));
  LogfmtExpressionParser::Keys keys;
  for (const Extraction& extraction : stage.extractions) {
    std::string_view key = trimmed(extraction.expression);
    const bool is_quoted = key.size() > 1 && key.front() == '"' && key.back() == '"';
    if (is_quoted) key = key.substr(1, key.size() - 2);
    if (key.empty()) return bad_expression(extraction, "syntax error: unexpected $end");
    const auto wrong = std::find_if_not(key.begin(), key.end(), is_name);
    if (!is_quoted && (wrong != key.end() || is_digit(key[0])))
      return bad_expression(
          extraction, std::string("unexpected char ") + (wrong == key.end() ? key[0] : *wrong));
    keys.emplace_back(extraction.label, key);
  }
  return StageRunnerPtr(std::make_unique<LogfmtExpressionParser>(std::move(keys), stage.strict));
}

}  // namespace

Result<StageRunnerPtr> make_parser(const Stage& stage) {
  switch (stage.kind) {
    case StageKind::kJson:
      return make_json(stage);
    case StageKind::kLogfmt:
      return make_logfmt(stage);
    case StageKind::kRegexp: {
      SPANWAY_ASSIGN(Regex regex, Regex::within(stage.text));
      return StageRunnerPtr(std::make_unique<RegexpParser>(std::move(regex)));
    }
    case StageKind::kPattern: {
      SPANWAY_ASSIGN(LinePattern pattern, LinePattern::for_captures(stage.text));
      return StageRunnerPtr(std::make_unique<PatternParser>(std::move(pattern)));
    }
    default:
      return StageRunnerPtr(std::make_unique<UnpackParser>());
  }
}

}  // namespace spanway::query::logql
