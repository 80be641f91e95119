// A parsed query.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/query/labels/label_matcher.h"
#include "services/query/logql/token.h"

namespace spanway::query::logql {

enum class LineOp : unsigned char { kContains, kLacks, kRegex, kNotRegex, kPattern, kNotPattern };
constexpr bool is_negative(LineOp op) {
  return op == LineOp::kLacks || op == LineOp::kNotRegex || op == LineOp::kNotPattern;
}

// One text of a line filter, or an address for ip().
struct LineTerm {
  std::string text;
  bool is_ip = false;
};

enum class CompareOp : unsigned char {
  kEqual,
  kNotEqual,
  kGreater,
  kGreaterEqual,
  kLess,
  kLessEqual
};

struct LabelFilter;
using LabelFilterPtr = std::unique_ptr<LabelFilter>;

// A condition on one label, or two filters that are joined.
struct LabelFilter {
  enum class Kind : unsigned char { kAnd, kOr, kMatch, kIp, kNumber, kDuration, kSize };
  Kind kind = Kind::kMatch;
  LabelFilterPtr left, right;  // kAnd, kOr.
  LabelMatcher matcher;        // kMatch; its label of all others.
  CompareOp op = CompareOp::kEqual;
  std::string address;  // kIp.
  double number = 0;
  std::int64_t duration_ns = 0;
  std::uint64_t bytes = 0;
};

// `| json label="expression"`.
struct Extraction {
  std::string label;
  std::string expression;
};
struct LabelFormat {
  std::string name;
  std::string value;  // A template; of a rename: the label that is renamed.
  bool is_rename = false;
};
// A label to drop or keep, whatever its value or when its value matches.
struct NamedMatcher {
  std::string name;  // Empty with a matcher.
  std::optional<LabelMatcher> matcher;
};

enum class StageKind : unsigned char {
  kLineFilter,
  kJson,
  kLogfmt,
  kRegexp,
  kPattern,
  kUnpack,
  kLabelFilter,
  kLineFormat,
  kLabelFormat,
  kDecolorize,
  kDrop,
  kKeep,
};

struct Stage {
  StageKind kind = StageKind::kLineFilter;
  LineOp line_op = LineOp::kContains;
  std::vector<LineTerm> terms;  // kLineFilter: one, or several of which one must match.
  std::string text;             // kRegexp, kPattern, kLineFormat.
  bool strict = false;          // kLogfmt.
  bool keep_empty = false;
  std::vector<Extraction> extractions;  // kJson, kLogfmt.
  LabelFilterPtr filter;                // kLabelFilter.
  std::vector<LabelFormat> formats;     // kLabelFormat.
  std::vector<NamedMatcher> names;      // kDrop, kKeep.
};

struct LogSelector {
  std::vector<LabelMatcher> matchers;
  std::vector<Stage> stages;
};

struct Unwrap {
  std::string label;
  std::string conversion;  // "", "bytes", "duration", "duration_seconds".
  std::vector<LabelFilterPtr> filters;
};

struct Grouping {
  std::vector<std::string> labels;
  bool without = false;
  // Everything in one group.
  bool is_single() const { return labels.empty() && !without; }
};

enum class Cardinality : unsigned char { kOneToOne, kManyToOne, kOneToMany };
struct Matching {
  Cardinality card = Cardinality::kOneToOne;
  bool is_on = false;
  bool has_labels = false;  // on() or ignoring() names labels.
  bool has_include = false;
  std::vector<std::string> labels;
  std::vector<std::string> include;
};

enum class NodeKind : unsigned char {
  kLog,              // A selector with its pipeline.
  kRangeAggregate,   // `name` over `selector` and `range_ns`.
  kVectorAggregate,  // `name` of args[0].
  kBinary,
  kLiteral,
  kVector,
  kLabelReplace,
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  NodeKind kind = NodeKind::kLiteral;
  std::string invalid;  // A mistake that is reported once the query has been read.
  std::size_t depth = 1;
  std::vector<ExprPtr> args;

  LogSelector selector;  // kLog, kRangeAggregate.
  std::string name;      // kRangeAggregate, kVectorAggregate.
  std::int64_t range_ns = 0;
  std::int64_t offset_ns = 0;
  std::optional<Unwrap> unwrap;
  std::optional<Grouping> grouping;
  std::optional<double> parameter;  // quantile_over_time.
  std::size_t k = 0;                // topk, bottomk, approx_topk.

  Token op = Token::kEof;  // kBinary.
  bool return_bool = false;
  Matching matching;

  double number = 0;                                          // kLiteral, kVector.
  std::string destination, replacement, source_label, regex;  // kLabelReplace.
};

constexpr bool is_log(const Expr& expr) { return expr.kind == NodeKind::kLog; }

// In one line, as Loki prints it; parse() of it is the same query.
std::string to_string(const Expr& expr);
std::string to_string(const Stage& stage);
std::string to_string(const LabelFilter& filter);
std::string to_string(const LabelMatcher& matcher);

}  // namespace spanway::query::logql
