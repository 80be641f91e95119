// Runs Prometheus's own PromQL tests: promqltest [-v] FOLDER. One line for each file: evaluations
// that passed, of all. Fails when one differs.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "services/query/promql/engine.h"
#include "tests/conformance/promqltest/compare.h"
#include "tests/conformance/promqltest/memory_source.h"
#include "tests/conformance/promqltest/test_file.h"

namespace spanway::promqltest {
namespace {

using namespace query::promql;  // NOLINT: the engine's types.

EngineOptions options() {
  EngineOptions result;
  result.parse.experimental = true;
  result.late_name_removal = true;
  result.start_times = true;
  return result;
}

// Sets the time of each selector that has none, and is in no subquery. False when the result still
// depends on the time of the query.
bool fix_times(Expr& expr, std::int64_t time_ms, bool is_fixed) {
  static const std::regex kUnsafe(
      "days_in_month|day_of_month|day_of_week|day_of_year|end|hour|minute|month|year|"
      "predict_linear|range|start|step|time|timestamp");
  if (expr.kind == NodeKind::kCall && !is_fixed && std::regex_match(expr.text, kUnsafe))
    return false;
  if (!is_fixed && (expr.kind == NodeKind::kSelector || expr.kind == NodeKind::kSubquery)) {
    if (!expr.modifiers.at_ms) expr.modifiers.at_ms = time_ms;
    expr.modifiers.at_word = Token::kEof;
    is_fixed = expr.kind == NodeKind::kSubquery;
  }
  return std::all_of(expr.args.begin(), expr.args.end(),
                     [&](const ExprPtr& arg) { return fix_times(*arg, time_ms, is_fixed); });
}

struct Variant {
  std::string query;
  std::int64_t time_ms = 0;
};

// The query, and the same one with fixed times at other times.
std::vector<Variant> variants(const Eval& eval) {
  std::vector<Variant> result{{eval.query, eval.time_ms}};
  const auto expr = parse(eval.query, options().parse);
  const std::int64_t t = eval.time_ms;
  if (!expr.ok() || !fix_times(**expr, t, false)) return result;
  const std::string fixed = to_string(**expr);
  const std::vector<std::int64_t> times =
      t == 0 ? std::vector<std::int64_t>{-1000, 0, 1000}
             : std::vector<std::int64_t>{-10 * t, 0, t / 5, t, 10 * t};
  for (const std::int64_t time : times) result.push_back({fixed, time});
  return result;
}

std::string check(const Eval& eval, const std::string& query, const Result<QueryResult>& result) {
  if (!result.ok())
    return eval.expects_fail ? failure_difference(eval, result.error().message)
                             : "error: " + result.error().message;
  if (eval.expects_fail) return "an error was expected";
  const std::string notes = annotation_difference(eval, query, result->annotations);
  return notes.empty() ? difference(eval, *result) : notes;
}

// As a step of a range query.
std::string run_in_range(const Engine& engine, const Eval& eval, const Variant& variant,
                         const QueryResult& instant, MemorySource& source) {
  static const std::regex kContext(R"((start|end|range|step)\(\))");
  if (eval.skip_range_mode || eval.expects_fail || std::regex_search(variant.query, kContext))
    return "";
  const auto result = engine.range(variant.query, variant.time_ms - 60'000,
                                   variant.time_ms + 60'000, 60'000, source);
  if (!result.ok()) return "range mode: error: " + result.error().message;
  if (eval.is_ordered) return "";
  QueryResult middle;
  middle.type = instant.type;
  for (const PointSeries& series : result->matrix)
    for (const Point& point : series.points)
      if (point.t == variant.time_ms) middle.vector.push_back({series.labels, point.f, point.h});
  if (middle.type == ValueType::kScalar && !middle.vector.empty())
    middle.scalar = middle.vector[0].f;
  const std::string what = difference(eval, middle);
  return what.empty() ? "" : "range mode: " + what;
}

std::string run(const Engine& engine, const Eval& eval, MemorySource& source) {
  if (eval.is_range)
    return check(eval, eval.query,
                 engine.range(eval.query, eval.start_ms, eval.end_ms, eval.step_ms, source));
  for (const Variant& variant : variants(eval)) {
    const auto result = engine.instant(variant.query, variant.time_ms, source);
    std::string what = check(eval, variant.query, result);
    if (what.empty() && result.ok()) what = run_in_range(engine, eval, variant, *result, source);
    if (!what.empty())
      return what + " [" + variant.query + " at " + std::to_string(variant.time_ms) + "]";
  }
  return "";
}

struct Score {
  std::size_t passed = 0;
  std::size_t total = 0;
};

Score run_file(const std::filesystem::path& path, bool is_verbose) {
  std::ifstream stream(path);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  Score score;
  const auto commands = parse_test_file(text);
  if (!commands.ok()) {
    std::printf("%s: %s\n", path.filename().c_str(), commands.error().message.c_str());
    return {0, 1};
  }
  const Engine engine(options());
  MemorySource source;
  for (const Command& command : *commands) {
    if (std::holds_alternative<Clear>(command)) source.clear();
    if (const Load* load = std::get_if<Load>(&command)) source.load(*load);
    if (const Eval* eval = std::get_if<Eval>(&command)) {
      const std::string what = run(engine, *eval, source);
      ++score.total;
      score.passed += what.empty() ? 1 : 0;
      if (is_verbose && !what.empty())
        std::printf("%s:%zu: %s: %s\n", path.filename().c_str(), eval->line, eval->query.c_str(),
                    what.c_str());
    }
  }
  std::printf("%-28s %4zu of %4zu\n", path.filename().c_str(), score.passed, score.total);
  return score;
}

}  // namespace
}  // namespace spanway::promqltest

int main(int argc, char** argv) {
  const bool is_verbose = argc > 2 && std::string_view(argv[1]) == "-v";
  if (argc < 2) {
    std::fprintf(stderr, "promqltest [-v] FOLDER\n");
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[argc - 1]))
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  spanway::promqltest::Score all;
  for (const auto& file : files) {
    const auto score = spanway::promqltest::run_file(file, is_verbose);
    all.passed += score.passed;
    all.total += score.total;
  }
  std::printf("%-28s %4zu of %4zu\n", "all", all.passed, all.total);
  return !files.empty() && all.passed == all.total ? 0 : 1;
}
