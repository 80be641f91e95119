#include "services/query/traceql/structure.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace spanway::query::traceql {
namespace {

enum class Relation { kChild, kParent, kDescendant, kAncestor, kSibling };
enum class Form { kPlain, kNot, kUnion };

struct Operator {
  Relation relation;
  Form form;
};

Operator operator_of(Token op) {
  switch (op) {
    case Token::kGreater:
      return {Relation::kChild, Form::kPlain};
    case Token::kLess:
      return {Relation::kParent, Form::kPlain};
    case Token::kDescendant:
      return {Relation::kDescendant, Form::kPlain};
    case Token::kAncestor:
      return {Relation::kAncestor, Form::kPlain};
    case Token::kSibling:
      return {Relation::kSibling, Form::kPlain};
    case Token::kNotChild:
      return {Relation::kChild, Form::kNot};
    case Token::kNotParent:
      return {Relation::kParent, Form::kNot};
    case Token::kNotDescendant:
      return {Relation::kDescendant, Form::kNot};
    case Token::kNotAncestor:
      return {Relation::kAncestor, Form::kNot};
    case Token::kNotRegex:
      return {Relation::kSibling, Form::kNot};
    case Token::kUnionChild:
      return {Relation::kChild, Form::kUnion};
    case Token::kUnionParent:
      return {Relation::kParent, Form::kUnion};
    case Token::kUnionDescendant:
      return {Relation::kDescendant, Form::kUnion};
    case Token::kUnionAncestor:
      return {Relation::kAncestor, Form::kUnion};
    default:
      return {Relation::kSibling, Form::kUnion};
  }
}

Relation inverse(Relation relation) {
  switch (relation) {
    case Relation::kChild:
      return Relation::kParent;
    case Relation::kParent:
      return Relation::kChild;
    case Relation::kDescendant:
      return Relation::kAncestor;
    case Relation::kAncestor:
      return Relation::kDescendant;
    case Relation::kSibling:
      break;
  }
  return Relation::kSibling;
}

// The spans of the tree, parents before children.
std::vector<std::uint32_t> preorder(const std::vector<Span>& spans) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < spans.size(); ++i)
    if (spans[i].left != 0) order.push_back(i);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t l, std::uint32_t r) { return spans[l].left < spans[r].left; });
  return order;
}

// By position: whether the span has the relation to one of `left`.
std::vector<bool> marked(const Trace& trace, Relation relation, const SpanSet& left) {
  const std::vector<Span>& spans = trace.spans;
  std::vector<bool> in_left(spans.size()), result(spans.size());
  for (const std::uint32_t i : left) in_left[i] = true;
  const auto parent_of = [&](std::uint32_t i) { return spans[i].parent_index; };
  if (relation == Relation::kSibling) {
    std::unordered_map<std::int64_t, std::size_t> by_parent;
    for (const std::uint32_t i : left) ++by_parent[spans[i].parent];
    for (std::uint32_t i = 0; i < spans.size(); ++i)
      result[i] = spans[i].parent != 0 && by_parent[spans[i].parent] > (in_left[i] ? 1u : 0u);
    return result;
  }
  std::vector<std::uint32_t> order = preorder(spans);
  if (relation == Relation::kAncestor) std::reverse(order.begin(), order.end());
  for (const std::uint32_t i : order) {
    const std::size_t parent = parent_of(i);
    if (parent == Span::kNoParent) continue;
    switch (relation) {
      case Relation::kChild:
        result[i] = in_left[parent];
        break;
      case Relation::kDescendant:
        result[i] = in_left[parent] || result[parent];
        break;
      case Relation::kParent:
        if (in_left[i]) result[parent] = true;
        break;
      default:
        if (in_left[i] || result[i]) result[parent] = true;
    }
  }
  return result;
}

SpanSet chosen(const SpanSet& from, const std::vector<bool>& marks, bool is_marked) {
  SpanSet result;
  std::copy_if(from.begin(), from.end(), std::back_inserter(result),
               [&](std::uint32_t i) { return marks[i] == is_marked; });
  return result;
}

}  // namespace

SpanSet union_of(const SpanSet& left, const SpanSet& right) {
  SpanSet result;
  std::set_union(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(result));
  return result;
}

SpanSet related(const Trace& trace, Token op, const SpanSet& left, const SpanSet& right) {
  const auto [relation, form] = operator_of(op);
  const SpanSet matches = chosen(right, marked(trace, relation, left), form != Form::kNot);
  if (form != Form::kUnion) return matches;
  return union_of(matches, chosen(left, marked(trace, inverse(relation), right), true));
}

}  // namespace spanway::query::traceql
