#include "tests/conformance/promqltest/test_file.h"

#include <regex>

#include "services/query/promql/lexer.h"

namespace spanway::promqltest {
namespace {

using query::promql::parse_duration;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t first = line.find_first_not_of(" \t\r");
    line = first == std::string_view::npos ? "" : line.substr(first);
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    result.emplace_back(line.starts_with('#') ? "" : line);
  }
  return result;
}

class FileParser {
 public:
  explicit FileParser(std::string_view text) : lines_(lines_of(text)) {}

  Result<std::vector<Command>> run() {
    for (; next_ < lines_.size(); ++next_) {
      const std::string& line = lines_[next_];
      if (line.empty()) continue;
      auto command = line.starts_with("clear")  ? Result<Command>(Command(Clear{}))
                     : line.starts_with("load") ? load()
                                                : eval();
      if (!command.ok())
        return std::move(command).error().with_context("line " + std::to_string(next_ + 1));
      commands_.push_back(std::move(command).value());
    }
    return std::move(commands_);
  }

 private:
  // The next line of the command, nullptr at its end.
  const std::string* more() {
    if (next_ + 1 >= lines_.size() || lines_[next_ + 1].empty()) return nullptr;
    return &lines_[++next_];
  }

  Result<Command> load() {
    static const std::regex kLoad(R"(^load(_with_nhcb)?\s+(.+?)$)");
    std::smatch parts;
    const std::string head = lines_[next_];
    if (!std::regex_match(head, parts, kLoad)) return invalid_argument("bad load");
    Load result;
    result.with_custom_buckets = parts[1].matched;
    SPANWAY_ASSIGN(result.step_ms, parse_duration(parts[2].str()));
    std::vector<SequenceValue> start_times;
    while (const std::string* line = more()) {
      const std::size_t space = line->find_first_of(" \t");
      if (space != std::string::npos && line->substr(0, space).ends_with("@st")) {
        SPANWAY_ASSIGN(start_times, parse_start_times(line->substr(space)));
        continue;
      }
      SPANWAY_ASSIGN(SeriesLine series, parse_series_line(*line));
      result.series.push_back({std::move(series), std::move(start_times)});
      start_times.clear();
    }
    return Command(std::move(result));
  }

  Result<Command> eval() {
    static const std::regex kInstant(
        R"(^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$)");
    static const std::regex kRange(
        R"(^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$)");
    std::smatch parts;
    const std::string head = lines_[next_];
    Eval result;
    result.line = next_ + 1;
    if (std::regex_match(head, parts, kInstant)) {
      SPANWAY_ASSIGN(result.start_ms, parse_duration(parts[2].str()));
      result.end_ms = result.time_ms = result.start_ms;
      result.query = parts[3].str();
    } else if (std::regex_match(head, parts, kRange)) {
      result.is_range = true;
      SPANWAY_ASSIGN(result.start_ms, parse_duration(parts[2].str()));
      SPANWAY_ASSIGN(result.end_ms, parse_duration(parts[3].str()));
      SPANWAY_ASSIGN(result.step_ms, parse_duration(parts[4].str()));
      result.query = parts[5].str();
    } else {
      return invalid_argument("bad command " + head);
    }
    const std::string mode = parts[1].str();
    result.expects_fail = mode == "fail";
    result.any_warning = mode == "warn";
    result.any_info = mode == "info";
    result.is_ordered = mode == "ordered";
    while (const std::string* line = more()) {
      SPANWAY_ASSIGN(const bool is_done, result_line(*line, result));
      if (is_done) break;
    }
    return Command(std::move(result));
  }

  static Result<bool> result_line(const std::string& line, Eval& result) {
    static const std::regex kFrom(
        R"(^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$)");
    static const std::regex kExpect(
        R"(^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$)");
    const auto trimmed = [](std::string text) {
      const std::size_t first = text.find_first_not_of(' ');
      return first == std::string::npos ? std::string() : text.substr(first);
    };
    std::smatch parts;
    for (const std::string_view old : {"expected_fail_message", "expected_fail_regexp"})
      if (result.expects_fail && line.starts_with(old)) {
        result.fails.push_back({old.ends_with("regexp"), trimmed(line.substr(old.size()))});
        return true;
      }
    if (std::regex_match(line, parts, kFrom)) {
      SPANWAY_ASSIGN(result.start_ms, parse_duration(parts[1].str()));
      SPANWAY_ASSIGN(result.end_ms, parse_duration(parts[2].str()));
      SPANWAY_ASSIGN(result.step_ms, parse_duration(parts[3].str()));
      result.time_ms = result.end_ms;
      result.skip_range_mode = true;
      return false;
    }
    if (line.starts_with("expect string ")) {
      SPANWAY_ASSIGN(result.text, query::promql::unquote(line.substr(14)));
      result.expects_string = result.skip_range_mode = true;
      return false;
    }
    if (std::regex_match(line, parts, kExpect)) {
      Expectation expectation;
      if (parts[2].matched) expectation = {parts[2] == "regex", trimmed(parts[3].str())};
      const std::string what = parts[1].str();
      if (what == "ordered") result.is_ordered = true;
      if (what == "no_warn") result.no_warning = true;
      if (what == "no_info") result.no_info = true;
      if (what == "warn") result.warnings.push_back(expectation);
      if (what == "info") result.infos.push_back(expectation);
      if (what == "fail") {
        result.expects_fail = true;
        result.fails.push_back(expectation);
      }
      return false;
    }
    if (parse_number(line, result.scalar)) {
      result.expects_scalar = true;
      return true;
    }
    SPANWAY_ASSIGN(SeriesLine series, parse_series_line(line));
    result.series.push_back(std::move(series));
    return false;
  }

  const std::vector<std::string> lines_;
  std::size_t next_ = 0;
  std::vector<Command> commands_;
};

}  // namespace

Result<std::vector<Command>> parse_test_file(std::string_view text) {
  return FileParser(text).run();
}

}  // namespace spanway::promqltest
