// Conditions on lines.
#include <algorithm>
#include <optional>

#include "services/query/labels/regex.h"
#include "services/query/logql/ip_filter.h"
#include "services/query/logql/line_pattern.h"
#include "services/query/logql/stage_pipeline.h"

namespace spanway::query::logql {
namespace {

struct Term {
  std::string text;
  std::optional<Regex> regex;
  std::optional<LinePattern> pattern;
  std::optional<IpFilter> ip;

  bool matches(const std::string& line) const {
    if (ip) return ip->matches(line);
    if (regex) return regex->matches(line);
    if (pattern) return pattern->matches(line);
    return line.find(text) != line.npos;
  }
};

class LineFilterRunner final : public StageRunner {
 public:
  LineFilterRunner(std::vector<Term> terms, bool negative)
      : terms_(std::move(terms)), is_negative_(negative) {}
  bool run(std::int64_t, std::string& line, PipelineLabels&) const override {
    const bool is_found = std::any_of(terms_.begin(), terms_.end(),
                                      [&](const Term& term) { return term.matches(line); });
    return is_found != is_negative_;
  }

 private:
  const std::vector<Term> terms_;
  const bool is_negative_;
};

}  // namespace

Result<StageRunnerPtr> make_line_filter(const Stage& stage) {
  std::vector<Term> terms;
  for (const LineTerm& one : stage.terms) {
    Term& term = terms.emplace_back();
    term.text = one.text;
    // As in Loki, ip() has no meaning in a chain of `or`.
    if (one.is_ip && stage.terms.size() == 1) {
      if (stage.line_op != LineOp::kContains && stage.line_op != LineOp::kLacks)
        return invalid_argument("ip: invalid operation").with_reason("bad_query");
      SPANWAY_ASSIGN(term.ip, IpFilter::create(one.text));
    } else if (stage.line_op == LineOp::kRegex || stage.line_op == LineOp::kNotRegex) {
      SPANWAY_ASSIGN(term.regex, Regex::within(one.text));
    } else if (stage.line_op == LineOp::kPattern || stage.line_op == LineOp::kNotPattern) {
      SPANWAY_ASSIGN(term.pattern, LinePattern::for_filter(one.text));
    }
  }
  return StageRunnerPtr(
      std::make_unique<LineFilterRunner>(std::move(terms), is_negative(stage.line_op)));
}

}  // namespace spanway::query::logql
