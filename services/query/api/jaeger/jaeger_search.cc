#include "services/query/api/jaeger/jaeger_search.h"

#include <algorithm>
#include <array>
#include <limits>

#include "services/query/api/jaeger/go_values.h"
#include "services/query/api/jaeger/trace_answers.h"
#include "services/query/api/request_values.h"

namespace spanway::query::jaeger {
namespace {

constexpr std::int64_t kNanosPerMicro = 1000;
constexpr std::int64_t kLookback = 2 * kDayNanos;
constexpr std::int64_t kStatusOk = 1, kStatusError = 2;
constexpr std::array<std::string_view, 6> kKinds = {"",       "internal", "server",
                                                    "client", "producer", "consumer"};

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

Result<std::int64_t> duration_in(const Parameters& parameters, std::string_view name) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return 0;
  const auto duration = parse_go_duration(text);
  if (!duration) return bad_parameter(name, "invalid duration");
  return *duration;
}

Result<std::int64_t> limit_in(std::string_view text, std::string_view name) {
  if (text.empty()) return static_cast<std::int64_t>(kTracesDefault);
  const auto limit = parse_number(text);
  if (!limit) return bad_parameter(name, "invalid syntax");
  // Zero is none only where the parameter cannot be left out.
  return *limit == 0 ? -1 : *limit;
}

Result<std::size_t> checked_limit(std::int64_t limit) {
  if (limit == 0) return kTracesDefault;
  if (limit < 0 || limit > static_cast<std::int64_t>(kTracesMax))
    return bad("a search returns 1 to " + std::to_string(kTracesMax) + " traces");
  return static_cast<std::size_t>(limit);
}

Result<std::int64_t> micros_in(const Parameters& parameters, std::string_view name,
                               std::int64_t otherwise) {
  const std::string_view text = parameters.get(name);
  if (text.empty()) return otherwise;
  const auto micros = parse_number(text);
  if (!micros) return bad_parameter(name, "invalid syntax");
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max() / kNanosPerMicro;
  return std::clamp<std::int64_t>(*micros, 0, kMax) * kNanosPerMicro;
}

Status add_tags(const Parameters& parameters, JaegerConditions& out) {
  for (const std::string_view tag : parameters.all("tag")) {
    const std::size_t colon = tag.find(':');
    if (colon == std::string_view::npos)
      return bad("malformed 'tag' parameter, expecting key:value, received: " + std::string(tag));
    out.tags.emplace_back(tag.substr(0, colon), tag.substr(colon + 1));
  }
  for (const std::string_view tags : parameters.all("tags")) {
    auto parsed = parse_text_map(tags);
    if (!parsed)
      return bad("malformed 'tags' parameter, cannot unmarshal JSON: not an object of strings");
    out.tags.insert(out.tags.end(), parsed->begin(), parsed->end());
  }
  return {};
}

Status check_durations(const JaegerConditions& conditions) {
  if (conditions.duration_min_ns != 0 && conditions.duration_max_ns != 0 &&
      conditions.duration_max_ns < conditions.duration_min_ns)
    return bad("'maxDuration' should be greater than 'minDuration'");
  return {};
}

// The parameters of v3 by the name of the field; the newer name first.
class V3Parameters {
 public:
  explicit V3Parameters(const Parameters& all) : all_(all) {}
  std::string_view get(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names)
      if (const std::string_view value = all_.get(name); !value.empty()) return value;
    return "";
  }
  Result<std::int64_t> time(std::string_view camel, std::string_view snake) const {
    const auto time = parse_rfc3339(get({camel, snake}));
    if (!time) return bad("malformed parameter " + std::string(snake) + ": not a time of RFC 3339");
    return *time;
  }
  Result<std::int64_t> duration(std::string_view camel, std::string_view snake) const {
    const std::string_view text = get({camel, snake});
    if (text.empty()) return 0;
    const auto duration = parse_go_duration(text);
    if (!duration)
      return bad("malformed parameter " + std::string(snake) + ": not a duration such as 10s");
    return *duration;
  }

 private:
  const Parameters& all_;
};

}  // namespace

Error bad_parameter(std::string_view name, std::string_view why) {
  return bad("unable to parse param '" + std::string(name) + "': " + std::string(why));
}

std::string_view kind_name(int kind) {
  return kind > 0 && kind < static_cast<int>(kKinds.size()) ? kKinds[static_cast<std::size_t>(kind)]
                                                            : "";
}

std::optional<int> kind_number(std::string_view name) {
  if (name == "unspecified") return 0;
  for (std::size_t i = 1; i < kKinds.size(); ++i)
    if (kKinds[i] == name) return static_cast<int>(i);
  return std::nullopt;
}

SpanCondition condition_of(const JaegerConditions& conditions) {
  std::vector<SpanCondition> all;
  if (!conditions.service.empty())
    all.push_back(compare(Field::kService, Op::kEqual, conditions.service));
  if (!conditions.operation.empty())
    all.push_back(compare(Field::kName, Op::kEqual, conditions.operation));
  if (conditions.duration_min_ns > 0)
    all.push_back(compare(Field::kDuration, Op::kGreaterEqual, conditions.duration_min_ns));
  if (conditions.duration_max_ns > 0)
    all.push_back(compare(Field::kDuration, Op::kLessEqual, conditions.duration_max_ns));
  for (const auto& [key, value] : conditions.tags) {
    if (key == "error") {
      all.push_back(
          compare(Field::kStatus, Op::kEqual, value == "true" ? kStatusError : kStatusOk));
    } else {
      all.push_back(compare(Subject{.scope = Scope::kAny, .key = key}, Op::kEqualText, value));
    }
  }
  return all_of(std::move(all));
}

Result<SearchParameters> make_search(const JaegerConditions& conditions, std::int64_t begin,
                                     std::int64_t end, std::int64_t limit) {
  SPANWAY_TRY(check_durations(conditions));
  SearchParameters result;
  result.query.range = {.begin = begin, .end = end + 1};
  SPANWAY_ASSIGN(result.query.limit, checked_limit(limit));
  result.query.where = condition_of(conditions);
  return result;
}

Result<SearchParameters> parse_v1_search(const Parameters& parameters, std::int64_t now_unix_nano) {
  SearchParameters result;
  JaegerConditions conditions;
  conditions.service = parameters.get("service");
  conditions.operation = parameters.get("operation");
  SPANWAY_ASSIGN(result.query.range.begin,
                 micros_in(parameters, "start", now_unix_nano - kLookback));
  SPANWAY_ASSIGN(std::int64_t end, micros_in(parameters, "end", now_unix_nano));
  result.query.range.end = end + 1;  // A span that starts then is found.
  SPANWAY_TRY(add_tags(parameters, conditions));
  SPANWAY_ASSIGN(const std::int64_t limit, limit_in(parameters.get("limit"), "limit"));
  SPANWAY_ASSIGN(result.query.limit, checked_limit(limit));
  SPANWAY_ASSIGN(conditions.duration_min_ns, duration_in(parameters, "minDuration"));
  SPANWAY_ASSIGN(conditions.duration_max_ns, duration_in(parameters, "maxDuration"));
  for (const std::string_view text : parameters.all("traceID")) {
    auto id = parse_trace_id(text);
    if (!id.ok()) return bad("cannot parse traceID param: " + id.error().message);
    result.trace_ids.push_back(std::move(id).value());
  }
  if (result.trace_ids.size() > kTracesMax)
    return bad("a request has at most " + std::to_string(kTracesMax) + " trace ids");
  SPANWAY_TRY(check_durations(conditions));
  result.query.where = condition_of(conditions);
  return result;
}

Result<SearchParameters> parse_v3_search(const Parameters& parameters) {
  const V3Parameters v3(parameters);
  JaegerConditions conditions;
  conditions.service = v3.get({"query.serviceName", "query.service_name"});
  conditions.operation = v3.get({"query.operationName", "query.operation_name"});
  if (v3.get({"query.startTimeMin", "query.start_time_min"}).empty() ||
      v3.get({"query.startTimeMax", "query.start_time_max"}).empty())
    return bad("query.start_time_min and query.start_time_max are required");
  if (!v3.get({"query.filter"}).empty())
    return bad("query.filter is not supported: use query.attributes");
  SPANWAY_ASSIGN(const std::int64_t begin, v3.time("query.startTimeMin", "query.start_time_min"));
  SPANWAY_ASSIGN(const std::int64_t end, v3.time("query.startTimeMax", "query.start_time_max"));
  SPANWAY_ASSIGN(const std::int64_t limit,
                 limit_in(v3.get({"query.searchDepth", "query.search_depth", "query.num_traces"}),
                          "query.num_traces"));
  SPANWAY_ASSIGN(conditions.duration_min_ns,
                 v3.duration("query.durationMin", "query.duration_min"));
  SPANWAY_ASSIGN(conditions.duration_max_ns,
                 v3.duration("query.durationMax", "query.duration_max"));
  if (const std::string_view text = v3.get({"query.attributes"}); !text.empty()) {
    auto tags = parse_text_map(text);
    if (!tags) return bad("malformed parameter query.attributes: not a JSON object of strings");
    conditions.tags = std::move(*tags);
  }
  return make_search(conditions, begin, end, limit);
}

}  // namespace spanway::query::jaeger
