#include "tests/contract/store_contract/sent_spans.h"

#include <algorithm>
#include <regex>

#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using fakes::ProtoMessage;

constexpr std::int64_t kSecond = 1'000'000'000;

bool matches_regex(const std::string& text, std::string pattern) {
  for (std::size_t at = 0; (at = pattern.find('.', at)) != std::string::npos; at += 6)
    pattern.replace(at, 1, "[\\s\\S]");
  return std::regex_match(text, std::regex(pattern));
}

bool compares(Op op, const Value& have, const Value& want) {
  if (op == Op::kEqualText) {
    const std::string& text = std::get<std::string>(want);
    if (const auto* own = std::get_if<std::string>(&have)) return *own == text;
    if (const auto* own = std::get_if<bool>(&have)) return text == (*own ? "true" : "false");
    if (const auto* own = std::get_if<std::int64_t>(&have)) return text == std::to_string(*own);
    return !text.empty() && text.find_first_not_of("0123456789.-") == std::string::npos &&
           std::stod(text) == std::get<double>(have);
  }
  if (have.index() != want.index()) return false;
  switch (op) {
    case Op::kEqual:
      return have == want;
    case Op::kNotEqual:
      return have != want;
    case Op::kLess:
      return have < want;
    case Op::kLessEqual:
      return have <= want;
    case Op::kGreater:
      return have > want;
    case Op::kGreaterEqual:
      return have >= want;
    case Op::kRegex:
      return matches_regex(std::get<std::string>(have), std::get<std::string>(want));
    case Op::kNotRegex:
      return !matches_regex(std::get<std::string>(have), std::get<std::string>(want));
    default:
      return false;
  }
}

std::vector<const SentAttributes*> places_of(Scope scope, const SentSpan& span) {
  std::vector<const SentAttributes*> places;
  const bool any = scope == Scope::kAny;
  if (any || scope == Scope::kSpan) places.push_back(&span.attributes);
  if (any || scope == Scope::kResource) places.push_back(&span.resource);
  if (any || scope == Scope::kInstrumentation) places.push_back(&span.scope);
  if (any || scope == Scope::kEvent)
    for (const SentEvent& event : span.events) places.push_back(&event.attributes);
  if (any || scope == Scope::kLink)
    for (const SentLink& link : span.links) places.push_back(&link.attributes);
  return places;
}

std::vector<Value> field_values(Field field, const SentSpan& span) {
  std::vector<Value> values;
  switch (field) {
    case Field::kService:
      return {span.service};
    case Field::kName:
      return {span.name};
    case Field::kKind:
      return {std::int64_t{span.kind}};
    case Field::kStatus:
      return {std::int64_t{span.status}};
    case Field::kStatusMessage:
      return {span.status_message};
    case Field::kDuration:
      return {static_cast<std::int64_t>(span.duration)};
    case Field::kParentSpanId:
      return {span.parent_id};
    case Field::kSpanId:
      return {span.span_id};
    case Field::kTraceId:
      return {span.trace_id};
    case Field::kScopeName:
      return {span.scope_name};
    case Field::kScopeVersion:
      return {span.scope_version};
    case Field::kEventName:
      for (const SentEvent& event : span.events) values.emplace_back(event.name);
      return values;
    case Field::kLinkTraceId:
      for (const SentLink& link : span.links) values.emplace_back(link.trace_id);
      return values;
    case Field::kLinkSpanId:
      for (const SentLink& link : span.links) values.emplace_back(link.span_id);
      return values;
    case Field::kAttribute:
      break;
  }
  return values;
}

std::string described(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return "'" + text->substr(0, 40) + "'";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return std::to_string(*real) + "f";
  return std::get<bool>(value) ? "true" : "false";
}

std::string described(const SpanCondition& condition) {
  if (condition.kind == SpanCondition::Kind::kComparison) {
    const Comparison& c = condition.comparison;
    return "field " + std::to_string(static_cast<int>(c.subject.field)) + " " +
           std::string(to_string(c.subject.scope)) + "." + c.subject.key + " op " +
           std::to_string(static_cast<int>(c.op)) + " " + described(c.value);
  }
  std::string text = condition.kind == SpanCondition::Kind::kAll ? "all(" : "any(";
  for (const SpanCondition& child : condition.children) text += described(child) + "; ";
  return text + ")";
}

ProtoMessage encoded(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return fakes::otlp_string(*text);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fakes::otlp_int(*integer);
  if (const auto* real = std::get_if<double>(&value)) return ProtoMessage().real(4, *real);
  return ProtoMessage().varint(2, std::get<bool>(value) ? 1 : 0);
}

void add_attributes(std::uint32_t field, const SentAttributes& attributes, ProtoMessage& out) {
  for (const auto& [key, value] : attributes)
    out.message(field, fakes::otlp_attribute(key, encoded(value)));
}

ProtoMessage span_message(const SentSpan& span) {
  ProtoMessage message;
  message.bytes(1, span.trace_id).bytes(2, span.span_id);
  if (!span.parent_id.empty()) message.bytes(4, span.parent_id);
  message.bytes(5, span.name).varint(6, static_cast<std::uint64_t>(span.kind));
  message.fixed64(7, static_cast<std::uint64_t>(span.start));
  message.fixed64(8, static_cast<std::uint64_t>(span.start) + span.duration);
  add_attributes(9, span.attributes, message);
  for (const SentEvent& event : span.events) {
    ProtoMessage own;
    own.fixed64(1, static_cast<std::uint64_t>(span.start)).bytes(2, event.name);
    add_attributes(3, event.attributes, own);
    message.message(11, own);
  }
  for (const SentLink& link : span.links) {
    ProtoMessage own;
    own.bytes(1, link.trace_id).bytes(2, link.span_id);
    add_attributes(4, link.attributes, own);
    message.message(13, own);
  }
  message.message(15, ProtoMessage()
                          .bytes(2, span.status_message)
                          .varint(3, static_cast<std::uint64_t>(span.status)));
  return message;
}

}  // namespace

bool naive_holds(const SpanCondition& condition, const SentSpan& span) {
  const auto holds = [&](const SpanCondition& child) { return naive_holds(child, span); };
  if (condition.kind == SpanCondition::Kind::kAll)
    return std::all_of(condition.children.begin(), condition.children.end(), holds);
  if (condition.kind == SpanCondition::Kind::kAny)
    return std::any_of(condition.children.begin(), condition.children.end(), holds);
  const Comparison& comparison = condition.comparison;
  std::vector<Value> values;
  if (comparison.subject.field == Field::kAttribute) {
    for (const SentAttributes* place : places_of(comparison.subject.scope, span))
      if (const auto found = place->find(comparison.subject.key); found != place->end())
        values.push_back(found->second);
  } else {
    values = field_values(comparison.subject.field, span);
  }
  if (comparison.op == Op::kExists) return !values.empty();
  if (comparison.op == Op::kMissing) return values.empty();
  return std::any_of(values.begin(), values.end(), [&](const Value& value) {
    return compares(comparison.op, value, comparison.value);
  });
}

std::string described(const SpanQuery& query) {
  return " limit " + std::to_string(query.limit) + " range " + std::to_string(query.range.begin) +
         ".." + std::to_string(query.range.end) + " where " + described(query.where);
}

std::string request_of(const std::vector<SentSpan>& spans) {
  std::vector<ProtoMessage> resources;
  for (const SentSpan& span : spans) {
    ProtoMessage owner, scope, scope_spans;
    add_attributes(1, span.resource, owner);
    scope.bytes(1, span.scope_name).bytes(2, span.scope_version);
    add_attributes(3, span.scope, scope);
    scope_spans.message(1, scope).message(2, span_message(span));
    resources.push_back(ProtoMessage().message(1, owner).message(2, scope_spans));
  }
  return fakes::otlp_request(resources).encode();
}

std::int64_t SpanGenerator::time() {
  return base_ + static_cast<std::int64_t>(below(kSpanSeconds)) * kSecond;
}

// Promoted columns of both kinds, an unindexed one, and keys of the maps; every place has the same
// ones.
std::string SpanGenerator::key() {
  const char* keys[] = {
      "http.route", "http.response.status_code", "db.system", "user", "n", "ratio", "flag",
      "prompt"};
  return keys[below(std::size(keys))];
}

Value SpanGenerator::value(const std::string& key) {
  // Now and then of a type that is not the usual one.
  const std::size_t type = below(8);
  if (type == 0) return std::to_string(below(3));
  if (type == 1) return static_cast<std::int64_t>(below(3));
  if (key == "n" || key == "http.response.status_code")
    return static_cast<std::int64_t>(below(4)) - 1;
  if (key == "ratio") return static_cast<double>(below(4)) / 2;
  if (key == "flag") return below(2) == 0;
  if (key == "prompt") return std::string(1500, 'p') + "\"\n\\" + std::to_string(below(2));
  return "it's \t value \\" + std::to_string(below(3));
}

SentAttributes SpanGenerator::attributes(std::size_t fewer_than) {
  SentAttributes result;
  for (std::size_t i = below(fewer_than); i > 0; --i) {
    const std::string name = key();
    result.insert_or_assign(name, value(name));
  }
  return result;
}

SentSpan SpanGenerator::span(std::uint64_t number) {
  SentSpan span;
  span.trace_id = fakes::otlp_trace_id(1 + number / 3);
  span.span_id = fakes::otlp_span_id(1 + number);
  // The first span of a trace is a root, or has a parent that was not sent.
  if (number % 3 > 0) span.parent_id = fakes::otlp_span_id(1 + number - 1 - below(number % 3));
  if (below(10) == 0) span.parent_id = fakes::otlp_span_id(5'000'000 + number);
  span.service = "service-" + std::to_string(below(3));
  span.name = "op-" + std::to_string(below(3));
  span.kind = static_cast<int>(below(6));
  span.status = static_cast<int>(below(3));
  if (below(3) == 0) span.status_message = "failed " + std::to_string(below(2));
  span.scope_name = "scope-" + std::to_string(below(2));
  span.scope_version = std::to_string(below(2));
  // No two spans start at once, so that "newest first" has one answer.
  span.start = time() + static_cast<std::int64_t>(number);
  span.duration = below(5) * 1000;
  span.attributes = attributes(5);
  span.scope = attributes(2);
  span.resource = attributes(2);
  span.resource["service.name"] = span.service;
  span.resource["zone"] = "z" + span.service.substr(8);
  for (std::size_t i = below(3); i > 1; --i)
    span.events.push_back({"event-" + std::to_string(below(2)), attributes(3)});
  if (below(4) == 0)
    span.links.push_back(
        {fakes::otlp_trace_id(900 + below(2)), fakes::otlp_span_id(1 + below(2)), attributes(3)});
  return span;
}

SpanCondition SpanGenerator::attribute_condition() {
  Subject subject{.scope = below(2) == 0 ? Scope::kSpan : static_cast<Scope>(below(6)),
                  .key = below(8) == 0 ? "zone" : key()};
  const auto op = static_cast<Op>(below(11));
  Value operand =
      subject.key == "zone" ? Value("z" + std::to_string(below(3))) : value(subject.key);
  if (op == Op::kRegex || op == Op::kNotRegex) {
    const char* patterns[] = {"z[01]", "[12]", "it's.*[01]", "p+.*1", "nothing"};
    operand = patterns[below(std::size(patterns))];
  }
  if (op == Op::kEqualText && !std::holds_alternative<std::string>(operand)) {
    const char* texts[] = {"1", "0.5", "true", "-1", "2"};
    operand = texts[below(std::size(texts))];
  }
  return compare(std::move(subject), op, std::move(operand));
}

SpanCondition SpanGenerator::field_condition() {
  const auto order = static_cast<Op>(below(6));
  const auto text_op = static_cast<Op>(below(8));
  const Op id_op = below(4) == 0 ? Op::kNotEqual : Op::kEqual;
  const bool is_regex = text_op == Op::kRegex || text_op == Op::kNotRegex;
  const auto text = [&](const char* stem) {
    return is_regex ? std::string(stem) + "[01]" : stem + std::to_string(below(4));
  };
  switch (below(14)) {
    case 0:
    case 1:
      return compare(Field::kService, text_op, text("service-"));
    case 2:
      return compare(Field::kName, text_op, text("op-"));
    case 3:
      return compare(Field::kKind, order, static_cast<std::int64_t>(below(6)));
    case 4:
      return compare(Field::kStatus, order, static_cast<std::int64_t>(below(3)));
    case 5:
      return compare(Field::kDuration, order, static_cast<std::int64_t>(below(5)) * 1000);
    case 6:
      return compare(Field::kStatusMessage, text_op, text("failed "));
    case 7:
      return compare(Field::kParentSpanId, id_op,
                     below(2) == 0 ? std::string() : fakes::otlp_span_id(1 + below(300)));
    case 8:
      return compare(Field::kSpanId, id_op, fakes::otlp_span_id(1 + below(300)));
    case 9:
      return compare(Field::kTraceId, id_op, fakes::otlp_trace_id(1 + below(100)));
    case 10:
      return compare(Field::kScopeName, text_op, text("scope-"));
    case 11:
      return compare(Field::kEventName, text_op, text("event-"));
    case 12:
      return compare(Field::kLinkTraceId, id_op, fakes::otlp_trace_id(900 + below(3)));
    default:
      return compare(Field::kScopeVersion, text_op, text(""));
  }
}

SpanCondition SpanGenerator::condition(std::size_t depth) {
  if (depth == 0 || below(3) == 0) return below(3) == 0 ? field_condition() : attribute_condition();
  std::vector<SpanCondition> children;
  for (std::size_t i = 1 + below(3); i > 0; --i) children.push_back(condition(depth - 1));
  return below(2) == 0 ? all_of(std::move(children)) : any_of(std::move(children));
}

SpanQuery SpanGenerator::query() {
  SpanQuery query;
  query.limit = 1 + below(40);
  if (below(3) == 0) query.range.begin = time();
  if (below(3) == 0) query.range.end = time();
  if (below(10) == 0) return query;
  // Often the usual searches: a few conditions that hold together.
  if (below(3) == 0) query.where = compare(Field::kService, Op::kEqual, "service-1");
  if (below(4) == 0) query.where = both(query.where, compare(Field::kName, Op::kEqual, "op-1"));
  if (below(5) == 0)
    query.where = both(query.where, compare(Field::kStatus, Op::kEqual, std::int64_t{2}));
  if (below(5) == 0)
    query.where =
        both(query.where, compare(Field::kDuration, Op::kGreaterEqual, std::int64_t{2000}));
  if (below(2) == 0) query.where = both(query.where, condition(below(3)));
  return query;
}

}  // namespace spanway::query
