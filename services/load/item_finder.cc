#include "services/load/item_finder.h"

#include "services/lib/otlp/wire.h"
#include "services/load/item_id.h"

namespace spanway::load {
namespace {

using otlp::Signal;
using otlp::wire::Field;
using otlp::wire::field_of;
using otlp::wire::Ptr;
using otlp::wire::Type;
using otlp::wire::type_of;

constexpr std::size_t kTraceIdBytes = 16;
constexpr std::size_t kSpanIdBytes = 8;

// Calls visit(field) for each field; false when the framing is broken or visit says so.
template <typename Visit>
bool each_field(std::string_view message, Visit&& visit) {
  Ptr p = otlp::wire::begin_of(message);
  const Ptr end = otlp::wire::end_of(message);
  Field field;
  while (p != end) {
    p = otlp::wire::read_field(p, end, field);
    if (p == nullptr || !visit(field)) return false;
  }
  return true;
}

bool is_message(const Field& field, std::uint32_t number) noexcept {
  return field_of(field.tag) == number && type_of(field.tag) == Type::kLength;
}
bool is_fixed64(const Field& field, std::uint32_t number) noexcept {
  return field_of(field.tag) == number && type_of(field.tag) == Type::kFixed64;
}

void add(FoundItems& found, const FoundItem& item) {
  if (is_run(item.run) && item.number != 0) {
    found.items.push_back(item);
  } else {
    ++found.foreign;
  }
}

bool find_span(std::string_view span, FoundItems& found) {
  FoundItem item;
  const bool parsed = each_field(span, [&](const Field& field) {
    const std::string_view bytes = field.bytes();
    if (is_message(field, 1) && bytes.size() == kTraceIdBytes) {
      item.run = get_big_endian(bytes.data());
    } else if (is_message(field, 2) && bytes.size() == kSpanIdBytes) {
      item.number = get_big_endian(bytes.data());
    } else if (is_fixed64(field, 7)) {
      item.due_unix_nano = otlp::wire::load64(field.begin);
    }
    return true;
  });
  if (parsed) add(found, item);
  return parsed;
}

// Sets run and number when this is the attribute that holds them.
bool read_attribute(std::string_view attribute, FoundItem& item) {
  bool is_id = false;
  std::string_view value;
  const bool parsed = each_field(attribute, [&](const Field& field) {
    if (is_message(field, 1)) is_id = field.bytes() == kIdAttribute;
    if (is_message(field, 2)) value = field.bytes();
    return true;
  });
  if (!parsed || !is_id) return parsed;
  return each_field(value, [&](const Field& field) {
    if (!is_message(field, 1) || field.bytes().size() != kIdTextBytes) return true;
    const auto run = parse_hex(field.bytes().substr(0, 16));
    const auto number = parse_hex(field.bytes().substr(16));
    if (run && number) {
      item.run = *run;
      item.number = *number;
    }
    return true;
  });
}

// A log record (time 1, attributes 6) or a data point (time 3, attributes 7).
bool find_numbered(std::string_view message, std::uint32_t time_field,
                   std::uint32_t attribute_field, FoundItems& found) {
  FoundItem item;
  const bool parsed = each_field(message, [&](const Field& field) {
    if (is_fixed64(field, time_field)) item.due_unix_nano = otlp::wire::load64(field.begin);
    return !is_message(field, attribute_field) || item.number != 0 ||
           read_attribute(field.bytes(), item);
  });
  if (parsed) add(found, item);
  return parsed;
}

// Gauge 5, Sum 7, Histogram 9, ExponentialHistogram 10, Summary 11: points are their field 1.
bool find_points(std::string_view metric, FoundItems& found) {
  return each_field(metric, [&](const Field& data) {
    if (is_message(data, 5) || is_message(data, 7)) {
      return each_field(data.bytes(), [&](const Field& point) {
        return !is_message(point, 1) || find_numbered(point.bytes(), 3, 7, found);
      });
    }
    if (is_message(data, 9) || is_message(data, 10) || is_message(data, 11)) {
      return each_field(data.bytes(), [&](const Field& point) {
        found.foreign += is_message(point, 1) ? 1 : 0;
        return true;
      });
    }
    return true;
  });
}

bool find_item(Signal signal, std::string_view item, FoundItems& found) {
  switch (signal) {
    case Signal::kTraces:
      return find_span(item, found);
    case Signal::kMetrics:
      return find_points(item, found);
    case Signal::kLogs:
      return find_numbered(item, 1, 6, found);
  }
  return false;
}

}  // namespace

bool find_items(Signal signal, std::string_view payload, FoundItems& found) {
  found.items.clear();
  found.foreign = 0;
  return each_field(payload, [&](const Field& resource_items) {
    return !is_message(resource_items, 1) ||
           each_field(resource_items.bytes(), [&](const Field& scope_items) {
             return !is_message(scope_items, 2) ||
                    each_field(scope_items.bytes(), [&](const Field& item) {
                      return !is_message(item, 2) || find_item(signal, item.bytes(), found);
                    });
           });
  });
}

}  // namespace spanway::load
