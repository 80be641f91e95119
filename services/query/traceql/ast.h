// A parsed query.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/query/labels/regex.h"
#include "services/query/traceql/attribute.h"
#include "services/query/traceql/token.h"
#include "services/query/traceql/value.h"

namespace spanway::query::traceql {

enum class NodeKind : unsigned char {
  // Expressions over one span.
  kConstant,
  kAttribute,
  kUnary,    // kSub or kNot of args[0].
  kExists,   // args[0] != nil.
  kMissing,  // args[0] = nil.
  kBinary,   // `op` of two.
  // Elements of a pipeline: from sets of spans to sets of spans.
  kFilter,         // The spans of which args[0] is true.
  kSpansetBinary,  // `op` of two: kFilter, kSpansetBinary or kPipeline.
  kPipeline,       // Its elements, one after the other.
  kGroup,          // by(args[0]).
  kCoalesce,
  kSelect,
  kScalarFilter,  // Comparison of two scalars.
  // Scalars: a number for each set.
  kAggregate,  // `function` of args[0]; count() has none.
  kScalarBinary,
};

enum class Aggregate : unsigned char { kCount, kMax, kMin, kSum, kAvg };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  NodeKind kind = NodeKind::kConstant;
  Position position;
  std::size_t depth = 1;  // Levels of the tree below and with this one.
  std::vector<ExprPtr> args;
  Token op = Token::kEof;             // kUnary, kBinary, kSpansetBinary, kScalarFilter, ..
  Value value;                        // kConstant.
  Attribute attribute;                // kAttribute.
  std::vector<Attribute> attributes;  // kSelect.
  Aggregate function = Aggregate::kCount;
  std::optional<Regex> regex;  // Compiled, for =~ and !~.
};

enum class MetricsFunction : unsigned char {
  kRate,
  kCountOverTime,
  kMinOverTime,
  kMaxOverTime,
  kAvgOverTime,
  kSumOverTime,
  kQuantileOverTime,
  kHistogramOverTime,
  kCompare,
};

// From spans to series.
struct FirstStage {
  MetricsFunction function = MetricsFunction::kRate;
  Position position;
  std::optional<Attribute> attribute;  // Argument of min_over_time and the like.
  std::vector<double> quantiles;
  std::vector<Attribute> by;
  ExprPtr selection;  // compare(): a kFilter.
  std::int64_t top = 10;
  std::int64_t begin_nanos = 0;  // compare(): 0 and 0 = the whole range.
  std::int64_t end_nanos = 0;
};

// From series to series.
struct SecondStage {
  enum class Kind : unsigned char { kTopk, kBottomk, kFilter, kScalar };
  Kind kind = Kind::kTopk;
  Position position;
  std::int64_t limit = 0;  // kTopk, kBottomk.
  Token op = Token::kEof;  // kFilter: a comparison; kScalar: + - * /.
  double number = 0;
  bool is_number_left = false;  // kScalar.
};

struct Metrics;
using MetricsPtr = std::unique_ptr<Metrics>;

// One metrics query, or an operation of two.
struct Metrics {
  Position position;
  std::size_t depth = 1;
  ExprPtr pipeline;  // Set for a query: kPipeline.
  FirstStage first;
  Token op = Token::kEof;  // + - * / of left and right.
  MetricsPtr left;
  MetricsPtr right;
  std::vector<SecondStage> stages;  // Applied to the result, in order.
};

// Either `pipeline`, for a search, or `metrics`.
struct Query {
  ExprPtr pipeline;  // kPipeline.
  MetricsPtr metrics;
  std::vector<std::pair<std::string, Value>> hints;  // with(..)
};

std::string_view to_string(Aggregate function);
std::string_view to_string(MetricsFunction function);
// In one line; parse() of it is the same query.
std::string to_string(const Expr& expr);
std::string to_string(const Metrics& metrics);
std::string to_string(const Query& query);

// Type of an expression over a span or a scalar: kAttribute when it depends on the span.
Type type_of(const Expr& expr);
// True when the value depends on the span.
bool references_span(const Expr& expr);

}  // namespace spanway::query::traceql
