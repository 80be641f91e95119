// Conditions on labels.
#include <optional>
#include <utility>

#include "services/query/labels/regex.h"
#include "services/query/logql/go_text.h"
#include "services/query/logql/ip_filter.h"
#include "services/query/logql/stage_pipeline.h"

namespace spanway::query::logql {
namespace {

constexpr std::string_view kLabelFilterError = "LabelFilterErr";

template <class T>
bool holds(CompareOp op, T left, T right) {
  switch (op) {
    case CompareOp::kEqual:
      return left == right;
    case CompareOp::kNotEqual:
      return left != right;
    case CompareOp::kGreater:
      return left > right;
    case CompareOp::kGreaterEqual:
      return left >= right;
    case CompareOp::kLess:
      return left < right;
    case CompareOp::kLessEqual:
      return left <= right;
  }
  return false;
}

class JoinedFilter final : public StageRunner {
 public:
  JoinedFilter(StageRunnerPtr left, StageRunnerPtr right, bool is_and)
      : left_(std::move(left)), right_(std::move(right)), is_and_(is_and) {}
  // Both sides of an `and` are evaluated, as each may set the error.
  bool run(std::int64_t time, std::string& line, PipelineLabels& labels) const override {
    const bool left = left_->run(time, line, labels);
    if (!is_and_ && left) return true;
    const bool right = right_->run(time, line, labels);
    return is_and_ ? left && right : right;
  }
  std::vector<std::string> required_labels() const override {
    auto names = left_->required_labels();
    for (std::string& name : right_->required_labels()) names.push_back(std::move(name));
    return names;
  }

 private:
  const StageRunnerPtr left_, right_;
  const bool is_and_;
};

class OneLabelFilter : public StageRunner {
 public:
  explicit OneLabelFilter(std::string label) : label_(std::move(label)) {}
  std::vector<std::string> required_labels() const override { return {label_}; }

 protected:
  const std::string label_;
};

class MatchFilter final : public OneLabelFilter {
 public:
  MatchFilter(const LabelMatcher& matcher, std::optional<Regex> regex)
      : OneLabelFilter(matcher.label), matcher_(matcher), regex_(std::move(regex)) {}
  bool run(std::int64_t, std::string&, PipelineLabels& labels) const override {
    const std::string_view value = matcher_.label == kErrorLabel
                                       ? std::string_view(labels.error())
                                       : labels.get(matcher_.label).value_or("");
    const bool is_match = regex_ ? regex_->matches(value) : value == matcher_.value;
    return is_match == (matcher_.op == MatchOp::kEqual || matcher_.op == MatchOp::kRegex);
  }

 private:
  const LabelMatcher matcher_;
  const std::optional<Regex> regex_;
};

class IpLabelFilter final : public OneLabelFilter {
 public:
  IpLabelFilter(std::string label, IpFilter filter, bool negative)
      : OneLabelFilter(std::move(label)), filter_(filter), is_negative_(negative) {}
  bool run(std::int64_t, std::string&, PipelineLabels& labels) const override {
    if (!labels.error().empty()) return true;  // For a match of __error__ behind it.
    const auto value = labels.get(label_);
    return value && filter_.matches(*value) != is_negative_;
  }

 private:
  const IpFilter filter_;
  const bool is_negative_;
};

// Compares the label's value as a number, a duration or a size.
template <class T>
class QuantityFilter final : public OneLabelFilter {
 public:
  using Parse = Result<T> (*)(std::string_view);
  QuantityFilter(std::string label, CompareOp op, T value, Parse parse)
      : OneLabelFilter(std::move(label)), op_(op), value_(value), parse_(parse) {}
  bool run(std::int64_t, std::string&, PipelineLabels& labels) const override {
    const auto text = labels.get(label_);
    if (!text) return false;
    const auto value = parse_(*text);
    if (value.ok()) return holds(op_, *value, value_);
    // An earlier error says more.
    if (labels.error().empty()) labels.set_error(kLabelFilterError, value.error().message);
    return true;
  }

 private:
  const CompareOp op_;
  const T value_;
  const Parse parse_;
};

}  // namespace

Result<StageRunnerPtr> make_label_filter(const LabelFilter& filter) {
  const std::string& label = filter.matcher.label;
  switch (filter.kind) {
    case LabelFilter::Kind::kAnd:
    case LabelFilter::Kind::kOr: {
      SPANWAY_ASSIGN(StageRunnerPtr left, make_label_filter(*filter.left));
      SPANWAY_ASSIGN(StageRunnerPtr right, make_label_filter(*filter.right));
      return StageRunnerPtr(std::make_unique<JoinedFilter>(std::move(left), std::move(right),
                                                           filter.kind == LabelFilter::Kind::kAnd));
    }
    case LabelFilter::Kind::kMatch: {
      std::optional<Regex> regex;
      if (filter.matcher.op == MatchOp::kRegex || filter.matcher.op == MatchOp::kNotRegex) {
        SPANWAY_ASSIGN(regex, Regex::whole("(?-s:" + filter.matcher.value + ")"));
      }
      return StageRunnerPtr(std::make_unique<MatchFilter>(filter.matcher, std::move(regex)));
    }
    case LabelFilter::Kind::kIp: {
      SPANWAY_ASSIGN(const IpFilter ip, IpFilter::create(filter.address));
      return StageRunnerPtr(
          std::make_unique<IpLabelFilter>(label, ip, filter.op == CompareOp::kNotEqual));
    }
    case LabelFilter::Kind::kNumber:
      return StageRunnerPtr(
          std::make_unique<QuantityFilter<double>>(label, filter.op, filter.number, parse_float));
    case LabelFilter::Kind::kDuration:
      return StageRunnerPtr(std::make_unique<QuantityFilter<std::int64_t>>(
          label, filter.op, filter.duration_ns, parse_go_duration));
    case LabelFilter::Kind::kSize:
      return StageRunnerPtr(std::make_unique<QuantityFilter<std::uint64_t>>(
          label, filter.op, filter.bytes, parse_size));
  }
  return invalid_argument("no such filter").with_reason("bad_query");
}

}  // namespace spanway::query::logql
