#include "tests/unit/traceql/naive_evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <regex>
#include <set>

namespace spanway::query::traceql::naive {
namespace {

int below(std::mt19937& random, int limit) {
  return static_cast<int>(random() % static_cast<unsigned>(limit));
}
template <typename T>
const T& pick(std::mt19937& random, const std::vector<T>& from) {
  return from[static_cast<std::size_t>(below(random, static_cast<int>(from.size())))];
}

const std::vector<std::string> kTexts = {"a", "ab", "b", "ba", ""};
const std::vector<std::string> kKeys = {"x", "y", "z"};
const std::vector<std::string> kOrderOps = {"=", "!=", "<", "<=", ">", ">="};
const std::vector<std::string> kKinds = {"unspecified", "internal", "server",
                                         "client",      "producer", "consumer"};
const std::vector<std::string> kStatuses = {"unset", "ok", "error"};

template <typename T>
bool ordered(const std::string& op, const T& left, const T& right) {
  if (op == "=") return left == right;
  if (op == "!=") return left != right;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return left >= right;
}

AnyValue random_value(std::mt19937& random) {
  switch (below(random, 8)) {
    case 0:
    case 1:
      return std::int64_t{below(random, 6) - 2};
    case 2:
      return (below(random, 12) - 4) / 2.0;
    case 3:
      return below(random, 2) == 0;
    case 4:
      return std::vector<std::int64_t>{below(random, 4), below(random, 4)};
    case 5:
      return std::vector<std::string>{pick(random, kTexts), pick(random, kTexts)};
    default:
      return pick(random, kTexts);
  }
}

const AnyValue* find_own(const NaiveTrace& trace, std::size_t span, const std::string& key) {
  const auto& own = trace.spans[span].own;
  const auto found = own.find(key);
  return found == own.end() ? nullptr : &found->second;
}

bool number_holds(const AnyValue* value, const std::string& op, double right) {
  if (value == nullptr) return false;
  if (const auto* integer = std::get_if<std::int64_t>(value))
    return ordered(op, static_cast<double>(*integer), right);
  if (const auto* real = std::get_if<double>(value)) return ordered(op, *real, right);
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(value)) {
    const auto one = [&](std::int64_t v) { return ordered(op, static_cast<double>(v), right); };
    return op == "!=" ? std::all_of(list->begin(), list->end(), one)
                      : std::any_of(list->begin(), list->end(), one);
  }
  return false;
}

bool text_holds(const std::string& op, const std::string& left, const std::string& right) {
  if (op == "=~" || op == "!~") return std::regex_match(left, std::regex(right)) == (op == "=~");
  return ordered(op, left, right);
}

bool text_holds(const AnyValue* value, const std::string& op, const std::string& right) {
  if (value == nullptr) return false;
  if (const auto* text = std::get_if<std::string>(value)) return text_holds(op, *text, right);
  if (const auto* list = std::get_if<std::vector<std::string>>(value)) {
    const auto one = [&](const std::string& v) { return text_holds(op, v, right); };
    return op == "!=" || op == "!~" ? std::all_of(list->begin(), list->end(), one)
                                    : std::any_of(list->begin(), list->end(), one);
  }
  return false;
}

std::string real_text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

Condition attribute_condition(std::mt19937& random) {
  const std::string key = pick(random, kKeys);
  const std::string name = (below(random, 2) == 0 ? "." : "span.") + key;
  switch (below(random, 6)) {
    case 0: {
      const double right = below(random, 8) / 2.0;
      const std::string op = pick(random, kOrderOps);
      return {name + " " + op + " " + real_text(right),
              [=](const auto& t, auto i) { return number_holds(find_own(t, i, key), op, right); }};
    }
    case 1: {
      const int right = below(random, 4);
      const std::string op = pick(random, kOrderOps);
      return {name + " " + op + " " + std::to_string(right),
              [=](const auto& t, auto i) { return number_holds(find_own(t, i, key), op, right); }};
    }
    case 2: {
      const std::string right = pick(random, kTexts);
      const std::string op = pick(random, kOrderOps);
      return {name + " " + op + " `" + right + "`",
              [=](const auto& t, auto i) { return text_holds(find_own(t, i, key), op, right); }};
    }
    case 3: {
      const std::string right = pick(random, std::vector<std::string>{"a.*", "b|ab", ".+", "a"});
      const std::string op = below(random, 2) == 0 ? "=~" : "!~";
      return {name + " " + op + " \"" + right + "\"",
              [=](const auto& t, auto i) { return text_holds(find_own(t, i, key), op, right); }};
    }
    case 4: {
      const bool is_missing = below(random, 2) == 0;
      return {name + (is_missing ? " = nil" : " != nil"), [=](const auto& t, auto i) {
                return (find_own(t, i, key) == nullptr) == is_missing;
              }};
    }
    default: {  // Arithmetic: a missing or other operand makes it false.
      const int more = below(random, 3), right = below(random, 5);
      const std::string op = pick(random, kOrderOps);
      return {name + " * 2 + " + std::to_string(more) + " " + op + " " + std::to_string(right),
              [=](const auto& t, auto i) {
                const AnyValue* value = find_own(t, i, key);
                if (value == nullptr) return false;
                if (const auto* integer = std::get_if<std::int64_t>(value))
                  return ordered(op, *integer * 2 + more, std::int64_t{right});
                if (const auto* real = std::get_if<double>(value))
                  return ordered(op, *real * 2 + more, static_cast<double>(right));
                return false;
              }};
    }
  }
}

bool is_reached(const NaiveTrace& trace, std::size_t span) {
  for (std::size_t steps = 0; steps <= trace.spans.size(); ++steps) {
    const int parent = trace.spans[span].parent;
    if (parent == -1) return true;
    if (parent < 0) return false;
    span = static_cast<std::size_t>(parent);
  }
  return false;
}

const NaiveSpan* root_of(const NaiveTrace& trace) {
  for (const NaiveSpan& span : trace.spans)
    if (span.parent == -1) return &span;
  return nullptr;
}

Condition intrinsic_condition(std::mt19937& random) {
  switch (below(random, 7)) {
    case 0: {
      const int limit = below(random, 10);
      const std::string op = pick(random, kOrderOps);
      return {"span:duration " + op + " " + std::to_string(limit) + "ms",
              [=](const auto& t, auto i) {
                return ordered(op, t.spans[i].duration, std::int64_t{limit} * 1'000'000);
              }};
    }
    case 1: {
      const std::string right = pick(random, kTexts);
      const std::string op = pick(random, kOrderOps);
      return {"name " + op + " \"" + right + "\"",
              [=](const auto& t, auto i) { return ordered(op, t.spans[i].name, right); }};
    }
    case 2: {
      const int kind = below(random, 6);
      const bool is_equal = below(random, 2) == 0;
      return {"kind " + std::string(is_equal ? "= " : "!= ") + kKinds[static_cast<unsigned>(kind)],
              [=](const auto& t, auto i) { return (t.spans[i].kind == kind) == is_equal; }};
    }
    case 3: {
      const int status = below(random, 3);
      return {"status = " + kStatuses[static_cast<unsigned>(status)],
              [=](const auto& t, auto i) { return t.spans[i].status == status; }};
    }
    case 4: {
      const std::string right = pick(random, kTexts);
      const std::string op = pick(random, std::vector<std::string>{"=", "!=", "=~", "!~"});
      return {"event:name " + op + " \"" + right + "\"", [=](const auto& t, auto i) {
                const auto& events = t.spans[i].events;
                return std::any_of(events.begin(), events.end(),
                                   [&](const auto& e) { return text_holds(op, e, right); });
              }};
    }
    case 5: {
      const std::string right = pick(random, kTexts);
      return {"rootName = \"" + right + "\"", [=](const auto& t, auto) {
                const NaiveSpan* root = root_of(t);
                return (root == nullptr ? "" : root->name) == right;
              }};
    }
    default: {
      const int service = below(random, 3);
      const bool is_equal = below(random, 2) == 0;
      return {"resource.service.name " + std::string(is_equal ? "=" : "!=") + " \"s" +
                  std::to_string(service) + "\"",
              [=](const auto& t, auto i) { return (t.spans[i].service == service) == is_equal; }};
    }
  }
}

using Related = std::function<bool(const NaiveTrace&, std::size_t, std::size_t)>;

bool is_below(const NaiveTrace& trace, std::size_t upper, std::size_t lower) {
  for (int at = trace.spans[lower].parent; at >= 0;
       at = trace.spans[static_cast<unsigned>(at)].parent)
    if (static_cast<std::size_t>(at) == upper) return true;
  return false;
}

// True when `right` has the relation to `left`, in the order of kRelations.
const std::vector<std::string> kRelations = {">", "<", ">>", "<<", "~"};
bool is_related(const NaiveTrace& t, std::size_t relation, std::size_t left, std::size_t right) {
  if (!is_reached(t, left) || !is_reached(t, right)) return false;
  const auto parent_of = [&](std::size_t i) { return t.spans[i].parent; };
  switch (relation) {
    case 0:
      return parent_of(right) == static_cast<int>(left);
    case 1:
      return parent_of(left) == static_cast<int>(right);
    case 2:
      return is_below(t, left, right);
    case 3:
      return is_below(t, right, left);
    default:
      return left != right && parent_of(left) == parent_of(right);
  }
}

Sets one_set(Spans spans) { return spans.empty() ? Sets() : Sets{std::move(spans)}; }

SpansetQuery random_filter(std::mt19937& random) {
  const Condition condition = random_condition(random, 2);
  return {"{ " + condition.text + " }", [condition](const NaiveTrace& t, const Spans& input) {
            Spans kept;
            for (const auto i : input)
              if (condition.holds(t, i)) kept.push_back(i);
            return one_set(std::move(kept));
          }};
}

Spans merged(const Sets& left, const Sets& right) {
  std::set<std::uint32_t> all;
  for (const Sets* sets : {&left, &right})
    for (const Spans& spans : *sets) all.insert(spans.begin(), spans.end());
  return {all.begin(), all.end()};
}

SpansetQuery random_spansets(std::mt19937& random, int depth) {
  if (depth == 0 || below(random, 3) == 0) return random_filter(random);
  const SpansetQuery left = random_spansets(random, depth - 1),
                     right = random_spansets(random, depth - 1);
  const auto text = [&](const std::string& op) {
    return "(" + left.text + " " + op + " " + right.text + ")";
  };
  const int which = below(random, 8);
  if (which < 2) {
    const bool is_and = which == 0;
    return {text(is_and ? "&&" : "||"), [=](const NaiveTrace& t, const Spans& input) {
              const Sets l = left.run(t, input), r = right.run(t, input);
              return is_and && (l.empty() || r.empty()) ? Sets() : one_set(merged(l, r));
            }};
  }
  const auto relation = static_cast<std::size_t>(below(random, 5));
  const std::string form = pick(random, std::vector<std::string>{"", "!", "&"});
  return {text(form + kRelations[relation]), [=](const NaiveTrace& t, const Spans& input) {
            const Sets left_sets = left.run(t, input), right_sets = right.run(t, input);
            const Spans l = merged(left_sets, {}), r = merged(right_sets, {});
            std::set<std::uint32_t> found;
            for (const auto b : r) {
              bool has_one = false;
              for (const auto a : l)
                if (is_related(t, relation, a, b)) {
                  has_one = true;
                  if (form == "&") found.insert(a);
                }
              if (has_one != (form == "!")) found.insert(b);
            }
            return one_set({found.begin(), found.end()});
          }};
}

SpansetQuery with_count(std::mt19937& random, const SpansetQuery& query) {
  const std::string op = pick(random, kOrderOps);
  const int limit = below(random, 5);
  return {query.text + " | count() " + op + " " + std::to_string(limit),
          [=](const NaiveTrace& t, const Spans& input) {
            Sets result;
            for (const Spans& spans : query.run(t, input))
              if (ordered(op, static_cast<int>(spans.size()), limit)) result.push_back(spans);
            return result;
          }};
}

SpansetQuery with_duration(std::mt19937& random, const SpansetQuery& query) {
  const int which = below(random, 4), limit = below(random, 12);
  const std::string name =
      std::vector<std::string>{"min", "max", "sum", "avg"}[static_cast<unsigned>(which)];
  return {query.text + " | " + name + "(duration) > " + std::to_string(limit) + "ms",
          [=](const NaiveTrace& t, const Spans& input) {
            Sets result;
            for (const Spans& spans : query.run(t, input)) {
              std::int64_t least = t.spans[spans[0]].duration, most = least, sum = 0;
              for (const auto i : spans) {
                least = std::min(least, t.spans[i].duration);
                most = std::max(most, t.spans[i].duration);
                sum += t.spans[i].duration;
              }
              const std::int64_t values[] = {least, most, sum, sum / std::ssize(spans)};
              if (values[which] > std::int64_t{limit} * 1'000'000) result.push_back(spans);
            }
            return result;
          }};
}

SpansetQuery with_groups(const SpansetQuery& query) {
  return {query.text + " | by(status)", [=](const NaiveTrace& t, const Spans& input) {
            Sets result;
            for (const Spans& spans : query.run(t, input)) {
              std::map<std::int64_t, Spans> groups;
              for (const auto i : spans) groups[t.spans[i].status].push_back(i);
              for (const auto& [status, group] : groups) result.push_back(group);
            }
            return result;
          }};
}

SpansetQuery coalesced(const SpansetQuery& query) {
  return {query.text + " | coalesce()", [=](const NaiveTrace& t, const Spans& input) {
            return one_set(merged(query.run(t, input), {}));
          }};
}

Value engine_value(const AnyValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return Value::of_int(*integer);
  if (const auto* real = std::get_if<double>(&value)) return Value::of_float(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return Value::of_string(*text);
  if (const auto* boolean = std::get_if<bool>(&value)) return Value::of_bool(*boolean);
  Value list;
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
    list.type = Type::kIntArray;
    for (const auto one : *integers) list.elements.push_back(Value::of_int(one));
  } else {
    list.type = Type::kStringArray;
    for (const auto& one : std::get<std::vector<std::string>>(value))
      list.elements.push_back(Value::of_string(one));
  }
  return list;
}

std::string id_of(int position) {
  std::string id(8, '\0');
  id[6] = static_cast<char>(1 + position / 250);
  id[7] = static_cast<char>(1 + position % 250);
  return id;
}

}  // namespace

NaiveTrace random_trace(std::mt19937& random) {
  NaiveTrace trace;
  const int spans = 1 + below(random, 14);
  for (int i = 0; i < spans; ++i) {
    NaiveSpan span;
    const int which = below(random, 12);
    // Mostly of an earlier span; now and then another root, an orphan, or of a later one.
    span.parent = i == 0 && which > 0 ? -1
                  : which == 0        ? -2
                  : which == 1        ? -1
                  : which == 2        ? below(random, spans)
                                      : below(random, std::max(1, i));
    if (span.parent == i) span.parent = -1;
    span.name = pick(random, kTexts);
    span.kind = below(random, 6);
    span.status = below(random, 3);
    span.start = 1'000'000 * (i + 1);
    span.duration = 1'000'000 * below(random, 10);
    for (const std::string& key : kKeys)
      if (below(random, 3) > 0) span.own[key] = random_value(random);
    span.service = below(random, 3);
    for (int e = below(random, 3); e > 0; --e) span.events.push_back(pick(random, kTexts));
    trace.spans.push_back(std::move(span));
  }
  return trace;
}

Condition random_condition(std::mt19937& random, int depth) {
  if (depth == 0 || below(random, 3) == 0)
    return below(random, 2) == 0 ? attribute_condition(random) : intrinsic_condition(random);
  const Condition left = random_condition(random, depth - 1);
  if (below(random, 4) == 0)
    return {"!(" + left.text + ")",
            [left](const NaiveTrace& t, std::size_t i) { return !left.holds(t, i); }};
  const Condition right = random_condition(random, depth - 1);
  const bool is_and = below(random, 2) == 0;
  return {"(" + left.text + (is_and ? " && " : " || ") + right.text + ")",
          [=](const NaiveTrace& t, std::size_t i) {
            return is_and ? left.holds(t, i) && right.holds(t, i)
                          : left.holds(t, i) || right.holds(t, i);
          }};
}

SpansetQuery random_query(std::mt19937& random) {
  SpansetQuery query = random_spansets(random, 2);
  for (int stages = below(random, 4); stages > 0; --stages) {
    const int which = below(random, 4);
    query = which == 0   ? with_count(random, query)
            : which == 1 ? with_duration(random, query)
            : which == 2 ? with_groups(query)
                         : coalesced(query);
  }
  return query;
}

Trace engine_trace(const NaiveTrace& trace) {
  Trace result;
  result.id = std::string(15, '\0') + "t";
  for (int service = 0; service < 3; ++service)
    result.resources.push_back({{"service.name", Value::of_string("s" + std::to_string(service))}});
  result.instrumentations.emplace_back();
  for (std::size_t i = 0; i < trace.spans.size(); ++i) {
    const NaiveSpan& own = trace.spans[i];
    Span span;
    span.id = id_of(static_cast<int>(i));
    if (own.parent != -1) span.parent_id = own.parent == -2 ? id_of(40'000) : id_of(own.parent);
    span.name = own.name;
    span.kind = own.kind;
    span.status = own.status;
    span.start_unix_nano = own.start;
    span.duration_ns = own.duration;
    for (const auto& [key, value] : own.own) span.attributes.emplace_back(key, engine_value(value));
    span.resource = static_cast<std::size_t>(own.service);
    for (const std::string& name : own.events) span.events.push_back({.name = name});
    result.spans.push_back(std::move(span));
  }
  complete(result);
  return result;
}

Spans all_of(const NaiveTrace& trace) {
  Spans all;
  for (std::uint32_t i = 0; i < trace.spans.size(); ++i) all.push_back(i);
  return all;
}

}  // namespace spanway::query::traceql::naive
