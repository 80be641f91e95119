#include "services/lib/otlp/rpc_status.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "services/lib/base/json_writer.h"
#include "services/lib/base/utf8.h"
#include "services/lib/otlp/reasons.h"
#include "services/lib/otlp/retry_after.h"
#include "services/lib/otlp/utf8_run.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kRetryInfoType = "type.googleapis.com/google.rpc.RetryInfo";
constexpr std::string_view kErrorInfoType = "type.googleapis.com/google.rpc.ErrorInfo";
// Answers are small; what is larger is not read.
constexpr std::size_t kAnswerBytesMax = 4u << 20;

constexpr std::string_view rejected_name(Signal signal) {
  switch (signal) {
    case Signal::kTraces:
      return "rejectedSpans";
    case Signal::kMetrics:
      return "rejectedDataPoints";
    case Signal::kLogs:
      return "rejectedLogRecords";
  }
  return "";
}

// Any of `type`, whose body `write` appends.
template <typename WriteBody>
void write_any(wire::Writer& writer, std::string_view type, WriteBody write) {
  const auto any = writer.begin(3);
  writer.bytes(1, type);
  const auto body = writer.begin(2);
  write();
  writer.end(body);
  writer.end(any);
}

std::string json_duration(milliseconds wait) {
  const auto ms = std::max<std::int64_t>(0, wait.count());
  std::string text = std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    std::string fraction = std::to_string(ms % 1000);
    text += "." + std::string(3 - fraction.size(), '0') + fraction;
  }
  return text + "s";
}

milliseconds wait_of(std::int64_t seconds, std::int64_t nanos) {
  const std::int64_t seconds_max =
      std::chrono::duration_cast<std::chrono::seconds>(kRetryAfterMax).count();
  seconds = std::clamp<std::int64_t>(seconds, 0, seconds_max);
  nanos = std::clamp<std::int64_t>(nanos, 0, 999'999'999);
  const auto wait = std::chrono::seconds(seconds) +
                    std::chrono::ceil<milliseconds>(std::chrono::nanoseconds(nanos));
  return std::min<milliseconds>(wait, kRetryAfterMax);
}

// "1.5s". Digits behind the first three do not matter.
std::optional<milliseconds> parse_json_duration(std::string_view text) {
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end == text.data() || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) return kRetryAfterMax;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  std::int64_t nanos = 0;
  if (text.starts_with('.')) {
    std::string digits(text.substr(1, 9));
    digits.resize(9, '0');
    const auto fraction = std::from_chars(digits.data(), digits.data() + digits.size(), nanos);
    if (fraction.ptr != digits.data() + digits.size()) return std::nullopt;
  } else if (!text.empty()) {
    return std::nullopt;
  }
  return wait_of(seconds, nanos);
}

// Calls visit(field) for each field; false when the framing is broken or visit returns false.
template <typename Visit>
bool for_each_field(std::string_view bytes, Visit visit) {
  const wire::Ptr end = wire::end_of(bytes);
  for (wire::Ptr p = wire::begin_of(bytes); p != end;) {
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr || !visit(field)) return false;
  }
  return true;
}

bool read_retry_info(std::string_view bytes, RpcStatus& status) {
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  const bool read = for_each_field(bytes, [&](const wire::Field& field) {
    if (field.tag != wire::make_tag(1, wire::Type::kLength)) return true;
    return for_each_field(field.bytes(), [&](const wire::Field& part) {
      if (part.tag == wire::make_tag(1, wire::Type::kVarint))
        seconds = static_cast<std::int64_t>(wire::varint_of(part));
      if (part.tag == wire::make_tag(2, wire::Type::kVarint))
        nanos = static_cast<std::int64_t>(wire::varint_of(part));
      return true;
    });
  });
  if (read) status.retry_after = wait_of(seconds, nanos);
  return read;
}

bool read_error_info(std::string_view bytes, RpcStatus& status) {
  std::string_view reason, domain;
  const bool read = for_each_field(bytes, [&](const wire::Field& field) {
    if (field.tag == wire::make_tag(1, wire::Type::kLength)) reason = field.bytes();
    if (field.tag == wire::make_tag(2, wire::Type::kLength)) domain = field.bytes();
    return true;
  });
  if (read && domain == kErrorDomain) status.reason = known_reason(reason);
  return read;
}

bool read_any(std::string_view bytes, RpcStatus& status) {
  std::string_view type, body;
  const bool read = for_each_field(bytes, [&](const wire::Field& field) {
    if (field.tag == wire::make_tag(1, wire::Type::kLength)) type = field.bytes();
    if (field.tag == wire::make_tag(2, wire::Type::kLength)) body = field.bytes();
    return true;
  });
  if (!read) return false;
  if (type == kRetryInfoType) return read_retry_info(body, status);
  if (type == kErrorInfoType) return read_error_info(body, status);
  return true;
}

std::string_view json_string(const simdjson::dom::object& object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

void read_json_detail(const simdjson::dom::object& detail, RpcStatus& status) {
  const std::string_view type = json_string(detail, "@type");
  if (type == kRetryInfoType) {
    if (const auto wait = parse_json_duration(json_string(detail, "retryDelay")))
      status.retry_after = *wait;
  } else if (type == kErrorInfoType && json_string(detail, "domain") == kErrorDomain) {
    status.reason = known_reason(json_string(detail, "reason"));
  }
}

}  // namespace

Bytes write_protobuf(const RpcStatus& status) {
  Bytes out;
  wire::Writer writer(out);
  writer.varint(1, static_cast<std::uint64_t>(status.code));
  if (!status.message.empty()) writer.bytes(2, status.message);
  if (status.retry_after) {
    write_any(writer, kRetryInfoType, [&] {
      const auto ms =
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, status.retry_after->count()));
      const auto delay = writer.begin(1);
      if (ms >= 1000) writer.varint(1, ms / 1000);
      if (ms % 1000 != 0) writer.varint(2, ms % 1000 * 1'000'000);
      writer.end(delay);
    });
  }
  if (*status.reason != '\0') {
    write_any(writer, kErrorInfoType, [&] {
      writer.bytes(1, status.reason);
      writer.bytes(2, kErrorDomain);
    });
  }
  return out;
}

Bytes write_json(const RpcStatus& status) {
  Bytes out;
  out.append("{\"code\":" + std::to_string(status.code) + ",\"message\":");
  out.append(json_quoted(status.message));
  const bool has_reason = *status.reason != '\0';
  if (status.retry_after || has_reason) out.append(",\"details\":[");
  if (status.retry_after) {
    out.append("{\"@type\":\"" + std::string(kRetryInfoType) + "\",\"retryDelay\":\"" +
               json_duration(*status.retry_after) + "\"}");
  }
  if (has_reason) {
    if (status.retry_after) out.push_back(',');
    out.append("{\"@type\":\"" + std::string(kErrorInfoType) + "\",\"reason\":");
    out.append(json_quoted(status.reason));
    out.append(",\"domain\":");
    out.append(json_quoted(kErrorDomain));
    out.push_back('}');
  }
  if (status.retry_after || has_reason) out.push_back(']');
  out.push_back('}');
  return out;
}

bool read_protobuf(std::string_view bytes, RpcStatus& status) {
  return for_each_field(bytes, [&](const wire::Field& field) {
    if (field.tag == wire::make_tag(1, wire::Type::kVarint)) {
      status.code = static_cast<int>(wire::varint_of(field));
    } else if (field.tag == wire::make_tag(2, wire::Type::kLength)) {
      if (!is_utf8(field.bytes())) return false;
      status.message = field.bytes();
    } else if (field.tag == wire::make_tag(3, wire::Type::kLength)) {
      return read_any(field.bytes(), status);
    }
    return true;
  });
}

bool read_json(std::string_view text, RpcStatus& status) {
  if (text.empty() || text.size() > kAnswerBytesMax) return false;
  simdjson::dom::parser parser(kAnswerBytesMax);
  simdjson::dom::object root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return false;
  std::int64_t code = 0;
  if (root["code"].get(code) == simdjson::SUCCESS) status.code = static_cast<int>(code);
  std::string_view message;
  if (root["message"].get(message) != simdjson::SUCCESS) return false;
  status.message = message;
  simdjson::dom::array details;
  if (root["details"].get(details) != simdjson::SUCCESS) return true;
  for (const simdjson::dom::element element : details) {
    simdjson::dom::object detail;
    if (element.get(detail) == simdjson::SUCCESS) read_json_detail(detail, status);
  }
  return true;
}

Bytes write_partial_success_json(Signal signal, std::uint64_t rejected, std::string_view message) {
  Bytes out;
  out.append("{\"partialSuccess\":{");
  if (rejected > 0) {
    out.append("\"" + std::string(rejected_name(signal)) + "\":\"" + std::to_string(rejected) +
               "\"");
    if (!message.empty()) out.push_back(',');
  }
  if (!message.empty()) {
    out.append("\"errorMessage\":");
    out.append(json_quoted(message));
  }
  out.append("}}");
  return out;
}

bool read_partial_success_json(Signal signal, std::string_view text, PartialSuccess& partial) {
  if (text.empty() || text.size() > kAnswerBytesMax) return false;
  simdjson::dom::parser parser(kAnswerBytesMax);
  simdjson::dom::object root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return false;
  simdjson::dom::element field;
  if (root["partialSuccess"].get(field) != simdjson::SUCCESS || field.is_null()) return true;
  simdjson::dom::object object;
  if (field.get(object) != simdjson::SUCCESS) return false;
  partial.message = printable_utf8(json_string(object, "errorMessage"), kPartialMessageBytesMax);
  simdjson::dom::element count;
  if (object[rejected_name(signal)].get(count) != simdjson::SUCCESS) return true;
  std::int64_t number = 0;
  if (std::string_view digits; count.get(digits) == simdjson::SUCCESS) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) return false;
  } else if (count.get(number) != simdjson::SUCCESS) {
    return false;
  }
  partial.rejected = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number));
  return true;
}

bool read_partial_success_protobuf(std::string_view bytes, PartialSuccess& partial) {
  if (bytes.size() > kAnswerBytesMax) return false;
  return for_each_field(bytes, [&](const wire::Field& field) {
    if (field.tag != wire::make_tag(1, wire::Type::kLength)) return true;
    return for_each_field(field.bytes(), [&](const wire::Field& part) {
      if (part.tag == wire::make_tag(1, wire::Type::kVarint)) {
        const auto number = static_cast<std::int64_t>(wire::varint_of(part));
        partial.rejected = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number));
      } else if (part.tag == wire::make_tag(2, wire::Type::kLength)) {
        partial.message = printable_utf8(part.bytes(), kPartialMessageBytesMax);
      }
      return true;
    });
  });
}

}  // namespace spanway::otlp
