#include "services/lib/otlp/reader.h"

#include <memory>
#include <string>

#include "services/lib/otlp/field_numbers.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using fields::Field;
using fields::for_each_child;
using fields::for_each_field;
using fields::read_attribute;
using fields::read_field;
using fields::read_value;
using fields::set;
using fields::set_enum;
using fields::set_fixed32;
using fields::set_fixed64;
using fields::set_uint32;
using wire::Type;

bool is_id(std::string_view id, std::size_t size) noexcept {
  return id.size() == size && id.find_first_not_of('\0') != std::string_view::npos;
}

Error malformed(const char* what) {
  return invalid_argument("The request is not a valid OTLP message: broken framing in a " +
                          std::string(what))
      .with_reason("malformed_request");
}

// The field of a metric's data that holds its points is 1 in all five types.
MetricType metric_type(std::uint32_t field_number) noexcept {
  switch (field_number) {
    case 5:
      return MetricType::kGauge;
    case 7:
      return MetricType::kSum;
    case 9:
      return MetricType::kHistogram;
    case 10:
      return MetricType::kExponentialHistogram;
    case 11:
      return MetricType::kSummary;
    default:
      return MetricType::kNone;
  }
}

}  // namespace

const AttributeView* find_attribute(Attributes attributes, std::string_view key) noexcept {
  for (const AttributeView& attribute : attributes)
    if (attribute.key == key) return &attribute;
  return nullptr;
}

std::optional<ValueView> ArrayReader::next() noexcept {
  Field field;
  while (!rest_.empty()) {
    ValueView value;
    if (!read_field(rest_, field)) break;
    if (field.number != 1 || field.type != Type::kLength) continue;
    if (read_value(field.bytes, value)) return value;
    rest_ = "x";  // Not empty: the element was broken.
    break;
  }
  malformed_ = malformed_ || !rest_.empty();
  rest_ = {};
  return std::nullopt;
}

std::optional<AttributeView> KvlistReader::next() noexcept {
  Field field;
  while (!rest_.empty()) {
    AttributeView attribute;
    if (!read_field(rest_, field)) break;
    if (field.number != 1 || field.type != Type::kLength) continue;
    if (read_attribute(field.bytes, attribute)) return attribute;
    rest_ = "x";
    break;
  }
  malformed_ = malformed_ || !rest_.empty();
  rest_ = {};
  return std::nullopt;
}

bool SpanView::has_valid_ids() const noexcept { return is_id(trace_id, 16) && is_id(span_id, 8); }

// Attributes of a level are contiguous in one vector. Views of them are created only when the
// vector has stopped growing: until then a level remembers positions.
struct RequestReader::Scratch {
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::vector<AttributeView> resource_attributes;
  std::vector<AttributeView> scope_attributes;
  std::vector<AttributeView> item_attributes;
  std::vector<AttributeView> nested_attributes;  // Events and links of one span.
  std::vector<EventView> events;
  std::vector<LinkView> links;
  std::vector<Range> event_ranges;
  std::vector<Range> link_ranges;
  std::vector<std::string_view> points;

  static bool add(std::vector<AttributeView>& attributes, const Field& field) {
    if (field.type != Type::kLength) return true;
    return read_attribute(field.bytes, attributes.emplace_back());
  }
  Attributes nested(Range range) const {
    return Attributes(nested_attributes).subspan(range.begin, range.end - range.begin);
  }
  bool read_resource(std::string_view message, ResourceView& resource);
  bool read_scope(std::string_view message, ScopeView& scope);
  bool read_event(std::string_view message);
  bool read_link(std::string_view message);
  bool read_span(std::string_view message, SpanView& span);
  bool read_span_field(const Field& field, SpanView& span);
  bool read_log(std::string_view message, LogView& log);
  bool read_metric(std::string_view message, MetricView& metric);

  Status visit_item(Signal signal, std::string_view message, RequestVisitor& visitor);
  Status visit_scope(Signal signal, std::string_view message, RequestVisitor& visitor);
  Status visit_resource(Signal signal, std::string_view message, RequestVisitor& visitor);
};

bool RequestReader::Scratch::read_resource(std::string_view message, ResourceView& resource) {
  return for_each_field(message, [&](const Field& field) {
    if (field.number == 1) return add(resource_attributes, field);
    if (field.number == 2) set_uint32(resource.dropped_attributes_count, field);
    return true;
  });
}

bool RequestReader::Scratch::read_scope(std::string_view message, ScopeView& scope) {
  return for_each_field(message, [&](const Field& field) {
    if (field.number == 1) set(scope.name, field);
    if (field.number == 2) set(scope.version, field);
    if (field.number == 3) return add(scope_attributes, field);
    if (field.number == 4) set_uint32(scope.dropped_attributes_count, field);
    return true;
  });
}

bool RequestReader::Scratch::read_event(std::string_view message) {
  EventView& event = events.emplace_back();
  const std::size_t begin = nested_attributes.size();
  const bool good = for_each_field(message, [&](const Field& field) {
    if (field.number == 1) set_fixed64(event.time_unix_nano, field);
    if (field.number == 2) set(event.name, field);
    if (field.number == 3) return add(nested_attributes, field);
    if (field.number == 4) set_uint32(event.dropped_attributes_count, field);
    return true;
  });
  event_ranges.push_back({begin, nested_attributes.size()});
  return good;
}

bool RequestReader::Scratch::read_link(std::string_view message) {
  LinkView& link = links.emplace_back();
  const std::size_t begin = nested_attributes.size();
  const bool good = for_each_field(message, [&](const Field& field) {
    if (field.number == 1) set(link.trace_id, field);
    if (field.number == 2) set(link.span_id, field);
    if (field.number == 3) set(link.trace_state, field);
    if (field.number == 4) return add(nested_attributes, field);
    if (field.number == 5) set_uint32(link.dropped_attributes_count, field);
    if (field.number == 6) set_fixed32(link.flags, field);
    return true;
  });
  link_ranges.push_back({begin, nested_attributes.size()});
  return good;
}

bool RequestReader::Scratch::read_span_field(const Field& field, SpanView& span) {
  switch (field.number) {
    case 1:
      set(span.trace_id, field);
      return true;
    case 2:
      set(span.span_id, field);
      return true;
    case 3:
      set(span.trace_state, field);
      return true;
    case 4:
      set(span.parent_span_id, field);
      return true;
    case 5:
      set(span.name, field);
      return true;
    case 6:
      set_enum(span.kind, field);
      return true;
    case 7:
      set_fixed64(span.start_time_unix_nano, field);
      return true;
    case 8:
      set_fixed64(span.end_time_unix_nano, field);
      return true;
    case 9:
      return add(item_attributes, field);
    case 10:
      set_uint32(span.dropped_attributes_count, field);
      return true;
    case 11:
      return field.type != Type::kLength || read_event(field.bytes);
    case 12:
      set_uint32(span.dropped_events_count, field);
      return true;
    case 13:
      return field.type != Type::kLength || read_link(field.bytes);
    case 14:
      set_uint32(span.dropped_links_count, field);
      return true;
    case 15:
      return field.type != Type::kLength || for_each_field(field.bytes, [&](const Field& status) {
               if (status.number == 2) set(span.status_message, status);
               if (status.number == 3) set_enum(span.status_code, status);
               return true;
             });
    case 16:
      set_fixed32(span.flags, field);
      return true;
    default:
      return true;
  }
}

bool RequestReader::Scratch::read_span(std::string_view message, SpanView& span) {
  item_attributes.clear();
  nested_attributes.clear();
  events.clear();
  links.clear();
  event_ranges.clear();
  link_ranges.clear();
  const bool good =
      for_each_field(message, [&](const Field& field) { return read_span_field(field, span); });
  for (std::size_t i = 0; i < event_ranges.size(); ++i)
    events[i].attributes = nested(event_ranges[i]);
  for (std::size_t i = 0; i < link_ranges.size(); ++i) links[i].attributes = nested(link_ranges[i]);
  span.attributes = item_attributes;
  span.events = events;
  span.links = links;
  return good;
}

bool RequestReader::Scratch::read_log(std::string_view message, LogView& log) {
  item_attributes.clear();
  const bool good = for_each_field(message, [&](const Field& field) {
    switch (field.number) {
      case 1:
        set_fixed64(log.time_unix_nano, field);
        break;
      case 2:
        set_enum(log.severity_number, field);
        break;
      case 3:
        set(log.severity_text, field);
        break;
      case 5:
        return field.type != Type::kLength || read_value(field.bytes, log.body);
      case 6:
        return add(item_attributes, field);
      case 7:
        set_uint32(log.dropped_attributes_count, field);
        break;
      case 8:
        set_fixed32(log.flags, field);
        break;
      case 9:
        set(log.trace_id, field);
        break;
      case 10:
        set(log.span_id, field);
        break;
      case 11:
        set_fixed64(log.observed_time_unix_nano, field);
        break;
      case 12:
        set(log.event_name, field);
        break;
      default:
        break;
    }
    return true;
  });
  log.attributes = item_attributes;
  return good;
}

bool RequestReader::Scratch::read_metric(std::string_view message, MetricView& metric) {
  points.clear();
  const auto read_data = [&](const Field& field) {
    if (field.number == 1 && field.type == Type::kLength) points.push_back(field.bytes);
    if (field.number == 2) set_enum(metric.aggregation_temporality, field);
    if (field.number == 3 && field.type == Type::kVarint) metric.is_monotonic = field.scalar != 0;
    return true;
  };
  const bool good = for_each_field(message, [&](const Field& field) {
    if (field.number == 1) set(metric.name, field);
    if (field.number == 2) set(metric.description, field);
    if (field.number == 3) set(metric.unit, field);
    const MetricType type = metric_type(field.number);
    if (type == MetricType::kNone || field.type != Type::kLength) return true;
    if (type != metric.type) points.clear();  // A oneof: the last one counts.
    metric.type = type;
    return for_each_field(field.bytes, read_data);
  });
  metric.points = points;
  return good;
}

Status RequestReader::Scratch::visit_item(Signal signal, std::string_view message,
                                          RequestVisitor& visitor) {
  switch (signal) {
    case Signal::kTraces: {
      SpanView span;
      if (!read_span(message, span)) return malformed("span");
      return visitor.on_span(span);
    }
    case Signal::kMetrics: {
      MetricView metric;
      if (!read_metric(message, metric)) return malformed("metric");
      return visitor.on_metric(metric);
    }
    case Signal::kLogs: {
      LogView log;
      if (!read_log(message, log)) return malformed("log record");
      return visitor.on_log(log);
    }
  }
  return {};
}

Status RequestReader::Scratch::visit_scope(Signal signal, std::string_view message,
                                           RequestVisitor& visitor) {
  scope_attributes.clear();
  ScopeView scope;
  const bool good = for_each_field(message, [&](const Field& field) {
    if (field.number == 3) set(scope.schema_url, field);
    return field.number != 1 || field.type != Type::kLength || read_scope(field.bytes, scope);
  });
  if (!good) return malformed("scope");
  scope.attributes = scope_attributes;
  SPANWAY_TRY(visitor.on_scope(scope));
  Status status;
  const bool done = for_each_child(message, 2, [&](std::string_view item) {
    status = visit_item(signal, item, visitor);
    return status.ok();
  });
  return done ? Status() : status;
}

Status RequestReader::Scratch::visit_resource(Signal signal, std::string_view message,
                                              RequestVisitor& visitor) {
  resource_attributes.clear();
  ResourceView resource;
  const bool good = for_each_field(message, [&](const Field& field) {
    if (field.number == 3) set(resource.schema_url, field);
    return field.number != 1 || field.type != Type::kLength || read_resource(field.bytes, resource);
  });
  if (!good) return malformed("resource");
  resource.attributes = resource_attributes;
  SPANWAY_TRY(visitor.on_resource(resource));
  Status status;
  const bool done = for_each_child(message, 2, [&](std::string_view scope) {
    status = visit_scope(signal, scope, visitor);
    return status.ok();
  });
  return done ? Status() : status;
}

RequestReader::RequestReader() : scratch_(std::make_unique<Scratch>()) {}
RequestReader::~RequestReader() = default;

Status RequestReader::read(Signal signal, std::string_view payload, RequestVisitor& visitor) {
  Status status;
  const bool done = for_each_child(payload, 1, [&](std::string_view resource) {
    status = scratch_->visit_resource(signal, resource, visitor);
    return status.ok();
  });
  if (!status.ok() || done) return status;
  return malformed("request");
}

Result<std::uint64_t> count_items(Signal signal, std::string_view payload) {
  std::uint64_t count = 0;
  const auto count_points = [&](std::string_view metric) {
    return for_each_field(metric, [&](const Field& field) {
      if (metric_type(field.number) == MetricType::kNone || field.type != Type::kLength)
        return true;
      return for_each_child(field.bytes, 1, [&](std::string_view) {
        ++count;
        return true;
      });
    });
  };
  const auto count_item = [&](std::string_view item) {
    if (signal == Signal::kMetrics) return count_points(item);
    ++count;
    return true;
  };
  const auto count_scope = [&](std::string_view scope) {
    return for_each_child(scope, 2, count_item);
  };
  const auto count_resource = [&](std::string_view resource) {
    return for_each_child(resource, 2, count_scope);
  };
  if (!for_each_child(payload, 1, count_resource)) return malformed("request");
  return count;
}

}  // namespace spanway::otlp
