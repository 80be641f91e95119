#include "services/lib/sinks/zipkin/zipkin_json.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>
#include <utility>

#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/json_append.h"

namespace spanway::sinks {
namespace {

// Memory is requested in steps of this.
constexpr std::size_t kGrowStep = 256u << 10;

// The attributes that may name the other side, best first, and the attribute of its port.
struct RemoteName {
  std::string_view name;
  std::string_view port;
};
constexpr std::array<RemoteName, 11> kRemoteNames = {{
    {"peer.service", "network.peer.port"},
    {"server.address", "server.port"},
    {"net.peer.name", "net.peer.port"},
    {"network.peer.address", "network.peer.port"},
    {"server.socket.domain", "server.socket.port"},
    {"server.socket.address", "server.socket.port"},
    {"net.sock.peer.name", "net.sock.peer.port"},
    {"net.sock.peer.addr", "net.sock.peer.port"},
    {"peer.hostname", "peer.port"},
    {"peer.address", "peer.port"},
    {"db.name", ""},
}};
// The attribute of the address when the best name is not one.
constexpr std::array<std::string_view, 3> kRemoteAddresses = {
    "network.peer.address", "server.socket.address", "net.sock.peer.addr"};

std::string_view string_of(const otlp::AttributeView* attribute) {
  if (attribute == nullptr || attribute->value.kind != otlp::ValueKind::kString) return {};
  return attribute->value.text;
}

// 0 when there is none. Ports come as numbers and, from old libraries, as strings.
std::uint16_t port_of(const otlp::AttributeView* attribute) {
  if (attribute == nullptr) return 0;
  std::int64_t port = attribute->value.integer;
  if (attribute->value.kind == otlp::ValueKind::kString) {
    const std::string_view text = attribute->value.text;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return 0;
  } else if (attribute->value.kind != otlp::ValueKind::kInt) {
    return 0;
  }
  return port > 0 && port <= 65'535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
}

// "ipv4", "ipv6" or nothing.
const char* address_family(std::string_view text) {
  if (text.empty() || text.size() > 45) return nullptr;
  const std::string address(text);
  std::array<unsigned char, 16> bytes;
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return "ipv4";
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return "ipv6";
  return nullptr;
}

std::string_view kind_name(otlp::SpanKind kind) {
  switch (kind) {
    case otlp::SpanKind::kServer:
      return "SERVER";
    case otlp::SpanKind::kClient:
      return "CLIENT";
    case otlp::SpanKind::kProducer:
      return "PRODUCER";
    case otlp::SpanKind::kConsumer:
      return "CONSUMER";
    case otlp::SpanKind::kUnspecified:
    case otlp::SpanKind::kInternal:
      break;
  }
  return {};
}

bool is_false(const otlp::ValueView& value) {
  return (value.kind == otlp::ValueKind::kBool && !value.boolean) ||
         (value.kind == otlp::ValueKind::kString && value.text == "false");
}

// The names already used in one object: JSON wants them unique.
class UsedKeys {
 public:
  void clear() {
    few_.clear();
    many_.clear();
  }
  // False when the key was there.
  bool insert(std::string_view key) {
    if (std::find(few_.begin(), few_.end(), key) != few_.end()) return false;
    if (few_.size() < kFew) {
      few_.push_back(key);
      return true;
    }
    return many_.insert(key).second;
  }

 private:
  static constexpr std::size_t kFew = 64;
  std::vector<std::string_view> few_;
  std::unordered_set<std::string_view> many_;
};

class Converter final : public otlp::RequestVisitor {
 public:
  Converter(const ZipkinJsonOptions& options, const GrowOutput& grow)
      : options_(options), grow_(grow) {}

  Status on_resource(const otlp::ResourceView& resource) override {
    resource_ = resource;
    const std::string_view name =
        string_of(otlp::find_attribute(resource.attributes, "service.name"));
    service_name_ = name.empty() ? "unknown_service" : name;
    return {};
  }
  Status on_scope(const otlp::ScopeView& scope) override {
    scope_ = scope;
    return {};
  }
  Status on_span(const otlp::SpanView& span) override;

  ZipkinRequests finish() && {
    if (result_.bodies.empty()) result_.bodies.emplace_back("[");
    result_.bodies.back().push_back(']');
    return std::move(result_);
  }

 private:
  bool write_span(const otlp::SpanView& span);
  void write_times(const otlp::SpanView& span);
  void write_remote_endpoint(const otlp::SpanView& span);
  bool write_annotations(const otlp::SpanView& span);
  bool write_tags(const otlp::SpanView& span);
  bool write_attribute_tags(const otlp::SpanView& span);
  void write_status_tags(const otlp::SpanView& span);
  bool write_link_tags(const otlp::SpanView& span);
  Status append_span();

  // {"a":...,"b":...}: the comma comes from `separator_`.
  void member(std::string_view name) {
    span_.append(separator_);
    separator_ = ",\"";
    span_.append(name);
    span_.append("\":");
  }
  void string_member(std::string_view name, std::string_view value) {
    member(name);
    append_json_string(span_, value);
  }
  void number_member(std::string_view name, std::uint64_t value) {
    member(name);
    append_number(span_, value);
  }
  void hex_member(std::string_view name, std::string_view id) {
    member(name);
    span_.append("\"");
    append_hex(span_, id);
    span_.append("\"");
  }
  // One tag; nothing when the name is taken.
  void tag(std::string_view name, std::string_view value);
  void count_tag(std::string_view name, std::uint32_t count);
  bool value_tag(const otlp::AttributeView& attribute);
  bool is_resource_tag(std::string_view key) const;

  const ZipkinJsonOptions& options_;
  const GrowOutput& grow_;
  ZipkinRequests result_;
  std::size_t written_ = 0;
  std::size_t granted_ = 0;

  otlp::ResourceView resource_;
  otlp::ScopeView scope_;
  std::string_view service_name_;

  Bytes span_;     // The object being written.
  Bytes scratch_;  // A value on its way into a string.
  const char* separator_ = "{\"";
  const char* tag_separator_ = "{";
  UsedKeys used_;
};

void Converter::tag(std::string_view name, std::string_view value) {
  if (!used_.insert(name)) return;
  span_.append(tag_separator_);
  tag_separator_ = ",";
  append_json_string(span_, name);
  span_.append(":");
  append_json_string(span_, value);
}

void Converter::count_tag(std::string_view name, std::uint32_t count) {
  if (count == 0) return;
  scratch_.clear();
  append_number(scratch_, std::uint64_t{count});
  tag(name, scratch_.view());
}

bool Converter::value_tag(const otlp::AttributeView& attribute) {
  if (attribute.value.kind == otlp::ValueKind::kString) {
    tag(attribute.key, attribute.value.text);
    return true;
  }
  scratch_.clear();
  if (!append_text(scratch_, attribute.value)) return false;
  tag(attribute.key, scratch_.view());
  return true;
}

bool Converter::is_resource_tag(std::string_view key) const {
  if (key == "service.name") return false;
  return std::any_of(options_.resource_tags.begin(), options_.resource_tags.end(),
                     [key](std::string_view pattern) {
                       if (!pattern.ends_with('*')) return key == pattern;
                       return key.starts_with(pattern.substr(0, pattern.size() - 1));
                     });
}

void Converter::write_times(const otlp::SpanView& span) {
  const std::uint64_t start = span.start_time_unix_nano / 1000;
  if (start == 0) return;
  number_member("timestamp", start);
  if (span.end_time_unix_nano < span.start_time_unix_nano) return;
  const std::uint64_t duration = (span.end_time_unix_nano - span.start_time_unix_nano) / 1000;
  number_member("duration", std::max<std::uint64_t>(duration, 1));
}

void Converter::write_remote_endpoint(const otlp::SpanView& span) {
  if (span.kind != otlp::SpanKind::kClient && span.kind != otlp::SpanKind::kProducer) return;
  std::string_view name;
  std::uint16_t port = 0;
  for (const RemoteName& candidate : kRemoteNames) {
    name = string_of(otlp::find_attribute(span.attributes, candidate.name));
    if (name.empty()) continue;
    port = port_of(otlp::find_attribute(span.attributes, candidate.port));
    break;
  }
  if (name.empty()) return;
  const char* family = address_family(name);
  std::string_view address = family != nullptr ? name : std::string_view();
  for (const std::string_view key : kRemoteAddresses) {
    if (!address.empty()) break;
    address = string_of(otlp::find_attribute(span.attributes, key));
    family = address_family(address);
    if (family == nullptr) address = {};
  }
  member("remoteEndpoint");
  separator_ = "{\"";
  if (name != address) string_member("serviceName", name);
  if (!address.empty()) string_member(family, address);
  if (port != 0) number_member("port", port);
  span_.append("}");
}

bool Converter::write_annotations(const otlp::SpanView& span) {
  if (span.events.empty()) return true;
  member("annotations");
  const char* separator = "[";
  for (const otlp::EventView& event : span.events) {
    span_.append(separator);
    separator = ",";
    separator_ = "{\"";
    number_member("timestamp", event.time_unix_nano / 1000);
    if (event.attributes.empty()) {
      string_member("value", event.name);
    } else {
      scratch_.clear();
      append_json_string(scratch_, event.name);
      scratch_.append(": ");
      if (!append_json_object(scratch_, event.attributes)) return false;
      string_member("value", scratch_.view());
    }
    span_.append("}");
  }
  span_.append("]");
  return true;
}

void Converter::write_status_tags(const otlp::SpanView& span) {
  if (span.status_code == otlp::StatusCode::kOk) tag("otel.status_code", "OK");
  if (span.status_code != otlp::StatusCode::kError) return;
  tag("otel.status_code", "ERROR");
  const otlp::AttributeView* own = otlp::find_attribute(span.attributes, "error");
  const bool keep = span.status_message.empty() && own != nullptr && !is_false(own->value);
  if (!keep) tag("error", span.status_message);
}

bool Converter::write_attribute_tags(const otlp::SpanView& span) {
  for (const otlp::AttributeView& attribute : span.attributes) {
    if (attribute.key == "error" && is_false(attribute.value)) continue;
    if (!value_tag(attribute)) return false;
  }
  for (const otlp::AttributeView& attribute : resource_.attributes)
    if (is_resource_tag(attribute.key) && !value_tag(attribute)) return false;
  return true;
}

// "traceid|spanid|tracestate|{attributes}|dropped".
bool Converter::write_link_tags(const otlp::SpanView& span) {
  Bytes value;
  // Tags must not be named by views into a buffer that changes: the names live until the span ends.
  std::vector<std::string> names;
  names.reserve(span.links.size());
  for (const otlp::LinkView& link : span.links) {
    value.clear();
    append_hex(value, link.trace_id);
    value.push_back('|');
    append_hex(value, link.span_id);
    value.push_back('|');
    value.append(link.trace_state);
    value.push_back('|');
    if (!append_json_object(value, link.attributes)) return false;
    value.push_back('|');
    append_number(value, std::uint64_t{link.dropped_attributes_count});
    tag(names.emplace_back("otlp.link." + std::to_string(names.size())), value.view());
  }
  used_.clear();  // `names` ends here, so links are written last.
  return true;
}

bool Converter::write_tags(const otlp::SpanView& span) {
  const std::size_t before = span_.size();
  member("tags");
  const std::size_t empty = span_.size();
  used_.clear();
  tag_separator_ = "{";
  write_status_tags(span);
  if (!scope_.name.empty()) {
    tag("otel.scope.name", scope_.name);
    tag("otel.library.name", scope_.name);
  }
  if (!scope_.version.empty()) {
    tag("otel.scope.version", scope_.version);
    tag("otel.library.version", scope_.version);
  }
  count_tag("otel.dropped_attributes_count", span.dropped_attributes_count);
  count_tag("otel.dropped_events_count", span.dropped_events_count);
  count_tag("otel.dropped_links_count", span.dropped_links_count);
  if (!span.trace_state.empty()) tag("w3c.tracestate", span.trace_state);
  if (!write_attribute_tags(span) || !write_link_tags(span)) return false;
  if (span_.size() == empty) {
    span_.resize(before);
  } else {
    span_.append("}");
  }
  return true;
}

bool Converter::write_span(const otlp::SpanView& span) {
  span_.clear();
  separator_ = "{\"";
  hex_member("traceId", span.trace_id);
  if (span.parent_span_id.size() == 8 &&
      span.parent_span_id.find_first_not_of('\0') != std::string_view::npos)
    hex_member("parentId", span.parent_span_id);
  hex_member("id", span.span_id);
  if (const auto kind = kind_name(span.kind); !kind.empty()) string_member("kind", kind);
  if (!span.name.empty()) string_member("name", span.name);
  write_times(span);
  member("localEndpoint");
  separator_ = "{\"";
  string_member("serviceName", service_name_);
  span_.append("}");
  write_remote_endpoint(span);
  if (!write_annotations(span)) return false;
  separator_ = ",\"";
  if (!write_tags(span)) return false;
  span_.append("}");
  return true;
}

// Moves the written span into the last body, or into a new one when that would grow too large.
Status Converter::append_span() {
  written_ += span_.size() + 2;
  if (written_ > options_.output_bytes_max) {
    // A limit of ours, not a refusal: halving helps, and for a single span the sender decides.
    return unknown_error(Code::kResourceExhausted,
                         "The batch becomes more than " +
                             std::to_string(options_.output_bytes_max) +
                             " bytes of Zipkin JSON; send smaller batches")
        .with_reason("zipkin_too_large");
  }
  if (written_ > granted_) {
    if (!grow_(written_ + kGrowStep)) return no_memory("convert a batch to Zipkin JSON");
    granted_ = written_ + kGrowStep;
  }
  if (!result_.bodies.empty() &&
      result_.bodies.back().size() + span_.size() + 2 > options_.request_bytes_max) {
    result_.bodies.back().push_back(']');
    result_.bodies.emplace_back("[");
  } else if (result_.bodies.empty()) {
    result_.bodies.emplace_back("[");
  } else {
    result_.bodies.back().push_back(',');
  }
  result_.bodies.back().append(span_.view());
  return {};
}

Status Converter::on_span(const otlp::SpanView& span) {
  if (!span.has_valid_ids() || !write_span(span)) {
    ++result_.rejected;
    return {};
  }
  ++result_.spans;
  return append_span();
}

}  // namespace

Result<ZipkinRequests> to_zipkin_json(std::string_view payload, const ZipkinJsonOptions& options,
                                      const GrowOutput& grow) {
  Converter converter(options, grow);
  otlp::RequestReader reader;
  SPANWAY_TRY(reader.read(otlp::Signal::kTraces, payload, converter));
  return std::move(converter).finish();
}

}  // namespace spanway::sinks
