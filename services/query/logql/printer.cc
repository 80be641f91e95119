// A query as text.
#include "services/query/logql/ast.h"
#include "services/query/logql/go_text.h"

namespace spanway::query::logql {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

std::string_view sign_of(MatchOp op) {
  switch (op) {
    case MatchOp::kEqual:
      return "=";
    case MatchOp::kNotEqual:
      return "!=";
    case MatchOp::kRegex:
      return "=~";
    case MatchOp::kNotRegex:
      return "!~";
  }
  return "";
}

std::string_view sign_of(LineOp op) {
  switch (op) {
    case LineOp::kContains:
      return "|=";
    case LineOp::kLacks:
      return "!=";
    case LineOp::kRegex:
      return "|~";
    case LineOp::kNotRegex:
      return "!~";
    case LineOp::kPattern:
      return "|>";
    case LineOp::kNotPattern:
      return "!>";
  }
  return "";
}

std::string_view sign_of(CompareOp op) {
  switch (op) {
    case CompareOp::kEqual:
      return "==";
    case CompareOp::kNotEqual:
      return "!=";
    case CompareOp::kGreater:
      return ">";
    case CompareOp::kGreaterEqual:
      return ">=";
    case CompareOp::kLess:
      return "<";
    case CompareOp::kLessEqual:
      return "<=";
  }
  return "";
}

std::string print_grouping(const Grouping& grouping) {
  return std::string(grouping.without ? " without " : " by ") + "(" + joined(grouping.labels) + ")";
}

std::string print_line_filter(const Stage& stage) {
  std::string out;
  for (const LineTerm& term : stage.terms) {
    out += out.empty() ? std::string(sign_of(stage.line_op)) + " " : " or ";
    out += term.is_ip ? "ip(" + quoted(term.text) + ")" : quoted(term.text);
  }
  return out;
}

std::string print_extractions(const Stage& stage) {
  std::string out;
  for (const Extraction& one : stage.extractions)
    out += (out.empty() ? " " : ",") + one.label + "=" + quoted(one.expression);
  return out;
}

std::string print_names(const Stage& stage) {
  std::string out;
  for (const NamedMatcher& one : stage.names)
    out += (out.empty() ? " " : ",") + (one.matcher ? to_string(*one.matcher) : one.name);
  return out;
}

std::string print(const LogSelector& selector) {
  std::string out = "{";
  for (const LabelMatcher& matcher : selector.matchers)
    out += (out.size() > 1 ? ", " : "") + to_string(matcher);
  out += "}";
  for (const Stage& stage : selector.stages) out += " " + to_string(stage);
  return out;
}

std::string print(const Unwrap& unwrap) {
  std::string out = " | unwrap ";
  out += unwrap.conversion.empty() ? unwrap.label : unwrap.conversion + "(" + unwrap.label + ")";
  for (const LabelFilterPtr& filter : unwrap.filters) out += " | " + to_string(*filter);
  return out;
}

std::string print_range_aggregate(const Expr& expr) {
  std::string out = expr.name + "(";
  if (expr.parameter) out += print_fixed(*expr.parameter) + ",";
  out += print(expr.selector);
  if (expr.unwrap) out += print(*expr.unwrap);
  out += "[" + print_prometheus_duration(expr.range_ns) + "]";
  if (expr.offset_ns != 0) out += " offset " + print_go_duration(expr.offset_ns);
  out += ")";
  return expr.grouping ? out + print_grouping(*expr.grouping) : out;
}

std::string print_binary(const Expr& expr) {
  std::string op(to_string(expr.op));
  const Matching& matching = expr.matching;
  if (expr.return_bool) op += " bool";
  if (matching.is_on || matching.has_labels) {
    op += matching.is_on ? " on (" : " ignoring (";
    op += joined(matching.labels) + ") ";
    if (matching.card == Cardinality::kManyToOne) op += "group_left";
    if (matching.card == Cardinality::kOneToMany) op += "group_right";
    if (matching.has_include) op += " (" + joined(matching.include) + ")";
  }
  return "(" + to_string(*expr.args[0]) + " " + op + " " + to_string(*expr.args[1]) + ")";
}

}  // namespace

std::string to_string(const LabelMatcher& matcher) {
  return matcher.label + std::string(sign_of(matcher.op)) + quoted(matcher.value);
}

std::string to_string(const LabelFilter& filter) {
  const std::string begin = filter.matcher.label + std::string(sign_of(filter.op));
  switch (filter.kind) {
    case LabelFilter::Kind::kAnd:
      return "( " + to_string(*filter.left) + " , " + to_string(*filter.right) + " )";
    case LabelFilter::Kind::kOr:
      return "( " + to_string(*filter.left) + " or " + to_string(*filter.right) + " )";
    case LabelFilter::Kind::kMatch:
      return to_string(filter.matcher);
    case LabelFilter::Kind::kIp:
      return filter.matcher.label + (filter.op == CompareOp::kNotEqual ? "!=" : "=") + "ip(" +
             quoted(filter.address) + ")";
    case LabelFilter::Kind::kNumber:
      return begin + print_fixed(filter.number);
    case LabelFilter::Kind::kDuration:
      return begin + print_go_duration(filter.duration_ns);
    case LabelFilter::Kind::kSize:
      return begin + print_size(filter.bytes);
  }
  return "";
}

std::string to_string(const Stage& stage) {
  switch (stage.kind) {
    case StageKind::kLineFilter:
      return print_line_filter(stage);
    case StageKind::kJson:
      return "| json" + print_extractions(stage);
    case StageKind::kLogfmt:
      return std::string("| logfmt") + (stage.strict ? " --strict" : "") +
             (stage.keep_empty ? " --keep-empty" : "") + print_extractions(stage);
    case StageKind::kRegexp:
      return "| regexp " + quoted(stage.text);
    case StageKind::kPattern:
      return "| pattern " + quoted(stage.text);
    case StageKind::kUnpack:
      return "| unpack";
    case StageKind::kLabelFilter:
      return "| " + to_string(*stage.filter);
    case StageKind::kLineFormat:
      return "| line_format " + quoted(stage.text);
    case StageKind::kDecolorize:
      return "| decolorize";
    case StageKind::kDrop:
      return "| drop" + print_names(stage);
    case StageKind::kKeep:
      return "| keep" + print_names(stage);
    case StageKind::kLabelFormat:
      break;
  }
  std::string out;
  for (const LabelFormat& one : stage.formats)
    out += (out.empty() ? "| label_format " : ",") + one.name + "=" +
           (one.is_rename ? one.value : quoted(one.value));
  return out;
}

std::string to_string(const Expr& expr) {
  switch (expr.kind) {
    case NodeKind::kLog:
      return print(expr.selector);
    case NodeKind::kRangeAggregate:
      return print_range_aggregate(expr);
    case NodeKind::kVectorAggregate: {
      std::string out = expr.name;
      if (expr.grouping && !expr.grouping->is_single()) out += print_grouping(*expr.grouping);
      out += "(";
      if (expr.k > 0) out += std::to_string(expr.k) + ",";
      return out + to_string(*expr.args[0]) + ")";
    }
    case NodeKind::kBinary:
      return print_binary(expr);
    case NodeKind::kLiteral:
      return print_general(expr.number);
    case NodeKind::kVector:
      return "vector(" + std::to_string(expr.number) + ")";
    case NodeKind::kLabelReplace:
      return "label_replace(" + to_string(*expr.args[0]) + "," + quoted(expr.destination) + "," +
             quoted(expr.replacement) + "," + quoted(expr.source_label) + "," + quoted(expr.regex) +
             ")";
  }
  return "";
}

}  // namespace spanway::query::logql
