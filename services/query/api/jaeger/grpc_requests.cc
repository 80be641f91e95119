#include "services/query/api/jaeger/grpc_requests.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "services/lib/otlp/wire.h"
#include "services/query/api/jaeger/trace_answers.h"
#include "services/query/api/request_values.h"

namespace spanway::query::jaeger {
namespace {

namespace wire = otlp::wire;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
// A time of Go that has not been set: the first second of year 1.
constexpr std::int64_t kUnsetSeconds = -62'135'596'800;
// Its nanoseconds, and one more, fit into 64 bits.
constexpr std::int64_t kSecondsMax = std::numeric_limits<std::int64_t>::max() / kNanosPerSecond - 1;

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

// Calls `visit` with each field of a message; false for bytes that are none.
template <typename Visit>
bool each_field(std::string_view message, const Visit& visit) {
  wire::Ptr p = wire::begin_of(message);
  const wire::Ptr end = wire::end_of(message);
  while (p != end) {
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return false;
    visit(field);
  }
  return true;
}

constexpr std::uint32_t text(std::uint32_t field) {
  return wire::make_tag(field, wire::Type::kLength);
}
constexpr std::uint32_t number(std::uint32_t field) {
  return wire::make_tag(field, wire::Type::kVarint);
}

// A Timestamp or a Duration, in nanoseconds; what is beyond 64 bits is the nearest. Nothing for a
// time that has not been set.
bool read_nanos(std::string_view message, std::optional<std::int64_t>& nanos) {
  std::int64_t seconds = 0, rest = 0;
  const bool is_read = each_field(message, [&](const wire::Field& field) {
    if (field.tag == number(1)) seconds = static_cast<std::int64_t>(wire::varint_of(field));
    if (field.tag == number(2)) rest = static_cast<std::int32_t>(wire::varint_of(field));
  });
  if (seconds == kUnsetSeconds && rest == 0) return is_read;
  nanos = std::clamp(seconds, -kSecondsMax, kSecondsMax) * kNanosPerSecond +
          std::clamp<std::int64_t>(rest, 1 - kNanosPerSecond, kNanosPerSecond - 1);
  return is_read;
}

bool read_entry(std::string_view message, std::pair<std::string, std::string>& entry) {
  return each_field(message, [&](const wire::Field& field) {
    if (field.tag == text(1)) entry.first = field.bytes();
    if (field.tag == text(2)) entry.second = field.bytes();
  });
}

Error not_a_message() { return bad("the request is not the message of this method"); }

// TraceQueryParameters.
struct Query {
  JaegerConditions conditions;
  std::optional<std::int64_t> begin, end;
  std::int64_t limit = 0;
  bool has_filter = false;
};

bool read_query(std::string_view message, Query& query) {
  bool is_read = true;
  std::optional<std::int64_t> duration_min, duration_max;
  const bool is_message = each_field(message, [&](const wire::Field& field) {
    switch (field.tag) {
      case text(1):
        query.conditions.service = field.bytes();
        break;
      case text(2):
        query.conditions.operation = field.bytes();
        break;
      case text(3):
        is_read = is_read && read_entry(field.bytes(), query.conditions.tags.emplace_back());
        break;
      case text(4):
        is_read = is_read && read_nanos(field.bytes(), query.begin);
        break;
      case text(5):
        is_read = is_read && read_nanos(field.bytes(), query.end);
        break;
      case text(6):
        is_read = is_read && read_nanos(field.bytes(), duration_min);
        break;
      case text(7):
        is_read = is_read && read_nanos(field.bytes(), duration_max);
        break;
      case number(8):
        query.limit = static_cast<std::int32_t>(wire::varint_of(field));
        break;
      case text(10):
        query.has_filter = true;
        break;
      default:
        break;
    }
  });
  query.conditions.duration_min_ns = duration_min.value_or(0);
  query.conditions.duration_max_ns = duration_max.value_or(0);
  return is_message && is_read;
}

}  // namespace

Result<TraceRequest> read_trace_request(std::string_view message) {
  TraceRequest request;
  std::string_view id;
  std::optional<std::int64_t> begin, end;
  bool is_read = true;
  const bool is_message = each_field(message, [&](const wire::Field& field) {
    if (field.tag == text(1)) id = field.bytes();
    if (field.tag == text(2)) is_read = is_read && read_nanos(field.bytes(), begin);
    if (field.tag == text(3)) is_read = is_read && read_nanos(field.bytes(), end);
  });
  if (!is_message || !is_read) return not_a_message();
  SPANWAY_ASSIGN(request.id, parse_trace_id(id));
  if (begin && end) request.hint = TimeRange{.begin = *begin, .end = *end + 1};
  return request;
}

Result<SearchParameters> read_search_request(std::string_view message) {
  Query query;
  bool is_read = true, has_query = false;
  const bool is_message = each_field(message, [&](const wire::Field& field) {
    if (field.tag != text(1)) return;
    has_query = true;
    is_read = is_read && read_query(field.bytes(), query);
  });
  if (!is_message || !is_read) return not_a_message();
  if (!has_query) return bad("missing query");
  if (!query.begin || !query.end) return bad("start time min and max are required parameters");
  if (query.has_filter) return bad("filter is not supported: use attributes");
  return make_search(query.conditions, *query.begin, *query.end, query.limit);
}

Result<OperationsRequest> read_operations_request(std::string_view message) {
  OperationsRequest request;
  const bool is_message = each_field(message, [&](const wire::Field& field) {
    if (field.tag == text(1)) request.service = field.bytes();
    if (field.tag == text(2)) request.kind = field.bytes();
  });
  if (!is_message) return not_a_message();
  return request;
}

Result<TimeRange> read_dependencies_request(std::string_view message) {
  std::optional<std::int64_t> begin, end;
  bool is_read = true;
  const bool is_message = each_field(message, [&](const wire::Field& field) {
    if (field.tag == text(1)) is_read = is_read && read_nanos(field.bytes(), begin);
    if (field.tag == text(2)) is_read = is_read && read_nanos(field.bytes(), end);
  });
  if (!is_message || !is_read) return not_a_message();
  if (!begin || !end) return bad("start_time and end_time are required");
  return TimeRange{.begin = *begin, .end = *end + 1};
}

}  // namespace spanway::query::jaeger
