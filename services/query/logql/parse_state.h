// The parser's state. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/query/logql/parser.h"

namespace spanway::query::logql {

// Recursive descent. A function that returns nullptr or false has recorded the first error.
class Parser {
 public:
  explicit Parser(std::string_view query);
  Result<ExprPtr> run();

 private:
  // Levels of recursion, counted as long as it lives.
  class Level {
   public:
    explicit Level(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
    ~Level() { --parser_.nesting_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    bool ok() const;

   private:
    Parser& parser_;
  };

  const Item& peek(std::size_t ahead = 0) const;
  Item take();
  bool accept(Token token);
  // `expected`: all that could be here, in the order of Loki's grammar; empty when it is much.
  bool expect(Token token, std::string_view expected = {});
  bool fail(Position position, std::string what);
  bool unexpected(std::string_view expected = {});
  ExprPtr finish(ExprPtr expr);

  // parser.cc
  ExprPtr expression(int min_precedence);
  ExprPtr primary();
  ExprPtr literal();
  ExprPtr vector();
  ExprPtr label_replace();
  ExprPtr binary(const Item& op, ExprPtr left);
  bool binary_modifiers(Expr& binary);
  bool label_list(std::vector<std::string>& labels, std::string_view expected);

  // parse_aggregates.cc
  ExprPtr range_aggregate();
  ExprPtr vector_aggregate();
  bool grouping(Expr& aggregate);
  bool log_range(Expr& aggregate);
  bool log_range_in_parens(Expr& aggregate);
  bool offset(Expr& aggregate);
  bool unwrap(Expr& aggregate);
  bool pipeline_and_unwrap(Expr& aggregate);

  // parse_stages.cc
  bool selector(std::vector<LabelMatcher>& matchers);
  bool matcher(LabelMatcher& out, std::string_view operators);
  bool string(std::string& out, std::string_view expected = "STRING");
  // Until there is no stage, or `| unwrap`.
  bool pipeline(std::vector<Stage>& stages);
  bool line_filter(std::vector<Stage>& stages);
  bool line_term(LineTerm& term, std::string_view expected);
  bool stage(std::vector<Stage>& stages);
  bool extractions(Stage& stage);
  bool label_formats(Stage& stage);
  bool named_matchers(Stage& stage);

  // parse_label_filters.cc
  LabelFilterPtr label_filters();
  LabelFilterPtr label_filter();
  bool filter_value(LabelFilter& filter, Token op);

  std::vector<Item> items_;
  std::size_t next_ = 0;
  std::size_t nesting_ = 0;
  bool failed_ = false;
  Position error_position_;
  std::string error_;
};

}  // namespace spanway::query::logql
