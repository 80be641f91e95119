// Operators between scalars and vectors.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "services/query/promql/evaluator.h"

namespace spanway::query::promql {
namespace {

double compute(Token op, double a, double b) {
  switch (op) {
    case Token::kAdd:
      return a + b;
    case Token::kSub:
      return a - b;
    case Token::kMul:
      return a * b;
    case Token::kDiv:
      return a / b;
    case Token::kPow:
      return std::pow(a, b);
    case Token::kMod:
      return std::fmod(a, b);
    case Token::kAtan2:
      return std::atan2(a, b);
    default:
      return 0;
  }
}

bool compare(Token op, double a, double b) {
  switch (op) {
    case Token::kEqual:
      return a == b;
    case Token::kNotEqual:
      return a != b;
    case Token::kLess:
      return a < b;
    case Token::kLessEqual:
      return a <= b;
    case Token::kGreater:
      return a > b;
    case Token::kGreaterEqual:
      return a >= b;
    default:
      return false;
  }
}

bool changes_meaning(Token op) {
  return !is_comparison(op) && op != Token::kTrimLower && op != Token::kTrimUpper;
}

Labels match_labels(const Labels& labels, const Matching& matching) {
  return matching.is_on ? only(labels, matching.labels) : without(labels, matching.labels);
}

Labels result_labels(const Expr& expr, const Labels& many, const Labels& one) {
  const Matching& matching = expr.matching;
  Labels result = changes_meaning(expr.op) ? without_name(many) : many;
  if (matching.card == Cardinality::kOneToOne) {
    if (matching.is_on) {
      result = only(result, matching.labels);
    } else {
      for (const std::string& name : matching.labels) set_label(result, name, "");
    }
  }
  for (const std::string& name : matching.include)
    set_label(result, name, std::string(value_of(one, name)));
  return result;
}

// Histograms only, or one and a number. False: the operator does not exist for them.
bool operate_histograms(Token op, const Element& left, const Element& right, Element& out,
                        AddOutcome& outcome) {
  const auto copy = [&](const Element& of) { return std::make_shared<Histogram>(*of.h); };
  if (left.h && right.h) {
    if (op != Token::kAdd && op != Token::kSub) return false;
    auto result = copy(left);
    outcome = op == Token::kAdd ? add(*result, *right.h) : subtract(*result, *right.h);
    if (op == Token::kSub) result->hint = Histogram::Hint::kGauge;
    result->compact();
    out.h = std::move(result);
    return true;
  }
  auto result = copy(left.h ? left : right);
  if (op == Token::kMul)
    result->multiply(left.h ? right.f : left.f);
  else if (op == Token::kDiv && left.h)
    result->divide(right.f);
  else if ((op == Token::kTrimUpper || op == Token::kTrimLower) && left.h)
    result->trim(right.f, op == Token::kTrimUpper);
  else
    return false;
  result->compact();
  out.h = std::move(result);
  return true;
}

}  // namespace

bool Evaluator::operate(const Expr& expr, const Element& left, const Element& right, Element& out,
                        bool& keep) {
  keep = true;
  const Token op = expr.op;
  const auto type = [](const Element& of) { return of.h ? "histogram" : "float"; };
  const auto refuse = [&] {
    const std::string sign(to_string(op));
    annotations_.info("incompatible sample types encountered for binary operator " + quoted(sign) +
                          ": " + type(left) + " " + sign + " " + type(right),
                      expr.position);
    return false;
  };
  if (!left.h && !right.h) {
    if (op == Token::kTrimLower || op == Token::kTrimUpper) return refuse();
    keep = !is_comparison(op) || compare(op, left.f, right.f);
    out.f = is_comparison(op) ? left.f : compute(op, left.f, right.f);
    return true;
  }
  if (left.h && right.h && (op == Token::kEqual || op == Token::kNotEqual)) {
    keep = left.h->equals(*right.h) == (op == Token::kEqual);
    out.h = left.h;
    return true;
  }
  AddOutcome outcome;
  if (!operate_histograms(op, left, right, out, outcome)) return refuse();
  const std::string_view name = op == Token::kAdd ? "addition" : "subtraction";
  if (outcome.incompatible) {
    annotations_.warn(
        "incompatible bucket layout encountered for binary operator " + std::string(to_string(op)),
        expr.position);
    return false;
  }
  if (outcome.hint_collision)
    annotations_.warn("conflicting counter resets during histogram " + std::string(name),
                      expr.position);
  if (outcome.bounds_reconciled) annotations_.info(reconciled(name), expr.position);
  return true;
}

Vector Evaluator::with_scalar(const Expr& expr, const Vector& vector, double scalar,
                              bool scalar_is_left) {
  Vector result;
  const Element number{.labels = {}, .f = scalar, .h = nullptr, .drop_name = false};
  for (const Element& element : vector) {
    Element out = element;
    out.h = nullptr;
    bool keep = true;
    if (!operate(expr, scalar_is_left ? number : element, scalar_is_left ? element : number, out,
                 keep))
      continue;
    // A comparison shows the vector's value on whichever side it is.
    if (is_comparison(expr.op) && scalar_is_left) out.f = element.f;
    if (expr.return_bool) {
      out.f = keep ? 1 : 0;
      out.h = nullptr;
    } else if (!keep) {
      continue;
    }
    out.drop_name = element.drop_name || changes_meaning(expr.op) || expr.return_bool;
    result.push_back(std::move(out));
  }
  return result;
}

Result<Vector> Evaluator::match(const Expr& expr, const Inputs& inputs) {
  const Matching& matching = expr.matching;
  const bool swapped = matching.card == Cardinality::kOneToMany;
  const bool is_one_to_one = matching.card == Cardinality::kOneToOne;
  const Vector& many = inputs[swapped ? 1 : 0];
  const Vector& one = inputs[swapped ? 0 : 1];
  std::map<Labels, const Element*> ones;
  std::vector<Labels> one_groups;
  if (many.empty() && !matching.fill_left && !matching.fill_right) return Vector{};
  for (const Element& element : one) {
    one_groups.push_back(match_labels(element.labels, matching));
    const auto [found, is_new] = ones.try_emplace(one_groups.back(), &element);
    if (is_new) continue;
    std::string first = to_string(element.labels);
    std::string second = to_string(found->second->labels);
    if (second < first) std::swap(first, second);
    return evaluation_error(
        "found duplicate series for the match group " + to_string(one_groups.back()) + " on the " +
        (swapped ? "left" : "right") + " hand-side of the operation: [" + first + ", " + second +
        "];many-to-many matching not allowed: matching labels must be unique on one side");
  }
  Vector result;
  std::map<Labels, std::set<Labels>> matched;
  const auto combine = [&](const Element& m, const Element& o, const Labels& group) -> Status {
    Element out;
    bool keep = true;
    if (!operate(expr, swapped ? o : m, swapped ? m : o, out, keep)) return ok_status();
    if (expr.return_bool) {
      out.f = keep ? 1 : 0;
      out.h = nullptr;
    }
    out.labels = result_labels(expr, m.labels, o.labels);
    out.drop_name = expr.return_bool;
    std::set<Labels>& seen = matched[group];
    if (is_one_to_one && !seen.empty())
      return evaluation_error(
          "multiple matches for labels: many-to-one matching must be explicit "
          "(group_left/group_right)");
    if (!seen.insert(out.labels).second)
      return evaluation_error(
          "multiple matches for labels: grouping labels must ensure unique matches");
    if (keep || expr.return_bool) result.push_back(std::move(out));
    return ok_status();
  };
  for (const Element& element : many) {
    const Labels group = match_labels(element.labels, matching);
    const auto found = ones.find(group);
    if (found != ones.end()) {
      SPANWAY_TRY(combine(element, *found->second, group));
    } else if (matching.fill_right) {
      SPANWAY_TRY(combine(element, {group, *matching.fill_right, nullptr, false}, group));
    }
  }
  // As in Prometheus, the values are of the sides "many" and "one", also with group_right.
  for (std::size_t i = 0; matching.fill_left && i < one.size(); ++i)
    if (!matched.contains(one_groups[i])) {
      SPANWAY_TRY(
          combine({one_groups[i], *matching.fill_left, nullptr, false}, one[i], one_groups[i]));
    }
  return result;
}

Result<Matrix> Evaluator::binary(const Expr& expr, const Steps& steps) {
  std::vector<Matrix> inputs;
  for (const ExprPtr& arg : expr.args) {
    SPANWAY_ASSIGN(Matrix one, evaluate(*arg, steps));
    inputs.push_back(std::move(one));
  }
  const bool left_is_scalar = type_of(*expr.args[0]) == ValueType::kScalar;
  const bool right_is_scalar = type_of(*expr.args[1]) == ValueType::kScalar;
  const auto both = [&](const Inputs& v, std::int64_t) -> Result<Vector> {
    const double a = v[0][0].f;
    const double b = v[1][0].f;
    const double value =
        is_comparison(expr.op) ? (compare(expr.op, a, b) ? 1.0 : 0.0) : compute(expr.op, a, b);
    return Vector{{{}, value, nullptr, false}};
  };
  const auto set_operation = [&](const Inputs& v, std::int64_t) -> Result<Vector> {
    const Vector& chosen = v[expr.op == Token::kOr ? 0 : 1];
    std::set<Labels> groups;
    for (const Element& element : chosen)
      groups.insert(match_labels(element.labels, expr.matching));
    const auto has_match = [&](const Element& element) {
      return groups.contains(match_labels(element.labels, expr.matching));
    };
    Vector result;
    if (expr.op == Token::kOr) {
      result = v[0];
      for (const Element& element : v[1])
        if (!has_match(element)) result.push_back(element);
    } else {
      for (const Element& element : v[0])
        if (has_match(element) == (expr.op == Token::kAnd)) result.push_back(element);
    }
    return result;
  };
  if (left_is_scalar && right_is_scalar) return each_step(std::move(inputs), steps, both);
  if (is_set_operator(expr.op)) return each_step(std::move(inputs), steps, set_operation);
  return each_step(std::move(inputs), steps, [&](const Inputs& v, std::int64_t) -> Result<Vector> {
    if (left_is_scalar) return with_scalar(expr, v[1], v[0][0].f, true);
    if (right_is_scalar) return with_scalar(expr, v[0], v[1][0].f, false);
    return match(expr, v);
  });
}

}  // namespace spanway::query::promql
