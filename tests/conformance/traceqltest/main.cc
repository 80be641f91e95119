// Runs the parser over Tempo's own examples: traceqltest [-v] FILE, where FILE is Tempo's
// pkg/traceql/test_examples.yaml. One line for each list: examples that passed, of all. Fails when
// one differs.
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "services/query/traceql/parser.h"

namespace spanway::traceqltest {
namespace {

using query::traceql::parse;
using query::traceql::to_string;

// The scalar of a YAML list item: '..' with '' for a quote, or ".." with escapes.
std::string scalar(std::string_view line) {
  const std::size_t begin = line.find_first_of("'\"");
  if (begin == std::string_view::npos) return "";
  const char quote = line[begin];
  std::string text;
  for (std::size_t i = begin + 1; i < line.size(); ++i) {
    if (line[i] == quote) {
      if (quote == '"' || line.substr(i + 1, 1) != "'") break;
      ++i;
    } else if (quote == '"' && line[i] == '\\') {
      constexpr std::string_view kNames = "tnr", kValues = "\t\n\r";
      const std::size_t escape = kNames.find(line[++i]);
      text += escape == std::string_view::npos ? line[i] : kValues[escape];
      continue;
    }
    text += line[i];
  }
  return text;
}

// Empty when the example is answered as its list says.
std::string difference(const std::string& list, const std::string& query) {
  const auto parsed = parse(query);
  if (list != "valid") {
    if (parsed.ok()) return "is accepted";
    const bool is_unsupported = parsed.error().code == Code::kUnimplemented;
    return is_unsupported == (list == "unsupported") ? "" : parsed.error().message;
  }
  if (!parsed.ok()) return parsed.error().message;
  const std::string text = to_string(*parsed);
  const auto again = parse(text);
  if (!again.ok()) return "its text " + text + ": " + again.error().message;
  return to_string(*again) == text ? "" : "its text " + text + " is another query";
}

struct Score {
  int passed = 0;
  int all = 0;
};

int run(const char* path, bool is_verbose) {
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path);
    return 2;
  }
  std::map<std::string, Score> scores;
  std::string line, list;
  while (std::getline(file, line)) {
    if (!line.empty() && line[0] != ' ' && line[0] != '#') list = line.substr(0, line.find(':'));
    if (!line.starts_with("  - ")) continue;
    const std::string query = scalar(line);
    const std::string what = difference(list, query);
    Score& score = scores[list];
    ++score.all;
    score.passed += what.empty() ? 1 : 0;
    if (is_verbose && !what.empty())
      std::printf("%s: %s\n  %s\n", list.c_str(), query.c_str(), what.c_str());
  }
  bool is_complete = !scores.empty();
  for (const auto& [name, score] : scores) {
    std::printf("%-16s %d of %d\n", name.c_str(), score.passed, score.all);
    is_complete = is_complete && score.passed == score.all;
  }
  return is_complete ? 0 : 1;
}

}  // namespace
}  // namespace spanway::traceqltest

int main(int argc, char** argv) {
  const bool is_verbose = argc == 3 && std::string_view(argv[1]) == "-v";
  if (argc != (is_verbose ? 3 : 2)) {
    std::fprintf(stderr, "usage: traceqltest [-v] FILE\n");
    return 2;
  }
  return spanway::traceqltest::run(argv[argc - 1], is_verbose);
}
