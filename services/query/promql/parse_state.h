// The parser's state. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/query/promql/parser.h"

namespace spanway::query::promql {

// Recursive descent. A function that returns nullptr or false has recorded the first error.
class Parser {
 public:
  Parser(std::string_view query, const ParseOptions& options);
  Result<ExprPtr> run();

 private:
  const Item& peek(std::size_t ahead = 0) const;
  Item take();
  bool accept(Token token);
  bool expect(Token token, std::string_view context, std::string_view expected);
  std::nullptr_t fail(Position position, std::string what);
  std::nullptr_t unexpected(std::string_view context, std::string_view expected);
  ExprPtr node(NodeKind kind, std::size_t begin);
  ExprPtr finish(ExprPtr expr);
  bool experimental(Position position, std::string_view what);

  // parser.cc
  ExprPtr expression(int min_precedence);
  ExprPtr unary();
  ExprPtr postfix(ExprPtr operand);
  ExprPtr primary();
  ExprPtr literal();
  bool binary_modifiers(Expr& binary);
  bool fill_modifiers(Expr& binary);
  ExprPtr call();
  bool arguments(std::vector<ExprPtr>& args);
  ExprPtr aggregate();
  bool grouping(std::vector<std::string>& labels);
  Result<std::string> unquoted(const Item& item);

  // parse_selectors.cc
  ExprPtr selector();
  bool label_matchers(Expr& selector);
  bool label_matcher(Expr& selector);
  ExprPtr brackets(ExprPtr operand);
  bool offset(Expr& operand);
  bool at(Expr& operand);
  bool extended(Expr& operand);
  Modifiers* modifiers_of(Expr& operand, std::string_view modifier);

  // parse_durations.cc
  ExprPtr duration(int min_precedence);
  ExprPtr duration_operand();
  ExprPtr offset_duration();
  ExprPtr positive_duration();
  // `keeps_plus`: as a node, as Prometheus does before a function of an offset.
  ExprPtr with_sign(ExprPtr operand, const Item& sign, bool keeps_plus);
  bool number_of(const Item& item, double& value);

  // type_check.cc
  bool check(const Expr& expr);
  bool check_binary(const Expr& expr);
  bool check_call(const Expr& expr);
  bool check_aggregate(const Expr& expr);
  bool check_selector(const Expr& expr);
  bool check_type(const Expr& expr, ValueType want, std::string_view context);

  const std::string_view query_;
  const ParseOptions options_;
  std::vector<Item> items_;
  std::size_t next_ = 0;
  std::size_t nesting_ = 0;
  std::size_t last_end_ = 0;  // End of the last item that was taken.
  bool failed_ = false;
  Position error_position_;
  std::string error_;
};

}  // namespace spanway::query::promql
