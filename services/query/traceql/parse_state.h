// The parser's state. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/query/traceql/parser.h"

namespace spanway::query::traceql {

// The kind of a part of a query outside of braces.
enum class PartKind : unsigned char {
  kNone,             // Refused; the error is recorded.
  kSpanset,          // Filters and their operators.
  kElement,          // by(), select(), coalesce() or a comparison of scalars.
  kWrappedPipeline,  // A pipeline in parentheses, and operators of such.
  kScalar,           // With an aggregate.
  kWrappedScalar,    // A pipeline in parentheses that ends in an aggregate, and operators of such.
  kWrappedFilter,    // A comparison of those.
  kNumber,
  kMetrics,  // In parentheses, and operators of such.
};

struct Part {
  PartKind kind = PartKind::kNone;
  bool is_wrapped = false;  // In parentheses.
  ExprPtr expr;
  MetricsPtr metrics;
  Value number;  // kNumber.
  Position position;
};

// Recursive descent. A function that returns nullptr, false or kNone has recorded the first error.
class Parser {
 public:
  explicit Parser(std::string_view query);
  Result<Query> run();

 private:
  const Item& peek(std::size_t ahead = 0) const;
  Item take();
  bool accept(Token token);
  bool accept_word(std::string_view word);
  bool is_call(std::string_view word) const;
  bool expect(Token token);
  std::nullptr_t fail(Position position, std::string what, Code code = Code::kInvalidArgument);
  std::nullptr_t unexpected(std::string_view expected = "");
  std::nullptr_t unsupported(Position position, std::string_view what);
  ExprPtr node(NodeKind kind, std::size_t begin);
  ExprPtr finish(ExprPtr expr);
  bool enter();

  // parse_pipeline.cc
  Part part(int min_precedence);
  Part operand();
  Part wrapped();
  Part combine(const Item& op, Part left, Part right);
  Part combine_spansets(const Item& op, Part left, Part right);
  Part combine_numbers(const Item& op, const Part& left, const Part& right);
  Part combine_scalars(const Item& op, Part left, Part right);
  Part number();
  // The elements and stages after the first one. `is_inner` = in parentheses.
  Part pipeline(bool is_inner);
  bool add_element(Expr& pipeline, Part element, bool is_first);
  ExprPtr element_call();
  ExprPtr aggregate();
  bool attribute_list(std::vector<Attribute>& attributes);
  bool hints(Query& query);

  // parse_fields.cc
  ExprPtr filter();
  ExprPtr field(int min_precedence);
  ExprPtr field_operand();
  ExprPtr field_binary(const Item& op, ExprPtr left, ExprPtr right);
  bool attribute(Attribute& attribute);
  bool constant(Value& value);

  // parse_metrics.cc
  bool is_first_stage() const;
  bool first_stage(FirstStage& stage);
  bool compare_arguments(FirstStage& stage);
  bool quantiles(std::vector<double>& quantiles);
  bool second_stages(Metrics& metrics);
  bool integer(std::int64_t& value);
  Part combine_metrics(const Item& op, Part left, Part right);
  bool check_depth(const Metrics& metrics);

  // type_check.cc
  bool check(Query& query);
  bool check(Metrics& metrics);
  bool check_stage(FirstStage& stage);
  bool check(Expr& expr);
  bool check_attribute(const Attribute& attribute, Position position);
  bool check_unary(const Expr& expr);
  bool check_binary(Expr& expr);
  bool check_operands(const Expr& expr);
  bool check_regex(Expr& expr);
  bool check_scalar_filter(const Expr& expr);
  bool check_aggregate(const Expr& expr);

  const std::string_view query_;
  std::vector<Item> items_;
  std::size_t next_ = 0;
  std::size_t nesting_ = 0;
  std::size_t last_end_ = 0;  // End of the last item that was taken.
  bool failed_ = false;
  Position error_position_;
  std::string error_;
  Code error_code_ = Code::kInvalidArgument;
};

// Binding strength of operators, from loose to tight; -1 for what is none.
int precedence(Token token);
inline constexpr int kLoosest = 1, kProduct = 5, kPower = 6;

}  // namespace spanway::query::traceql
