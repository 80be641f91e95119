#include "services/load/request_template.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/otlp/wire.h"
#include "services/load/item_id.h"

namespace spanway::load {
namespace {

using otlp::Signal;
using otlp::wire::Writer;
using Places = RequestTemplate::Places;

// Placeholders for what is written at each send; none of them can come up in the contents.
constexpr std::string_view kTraceIdMark = "\1TRACE-ID-MARK!\1";
constexpr std::string_view kSpanIdMark = "\1SPANID\1";
constexpr std::string_view kParentIdMark = "\1PARENT\1";
constexpr std::string_view kStartMark = "\1START!\1";
constexpr std::string_view kEndMark = "\1THEEND\1";
constexpr std::string_view kIdTextMark = "\1THE-ID-OF-THIS-ITEM-IN-ITS-RUN\1";
static_assert(kTraceIdMark.size() == 16 && kSpanIdMark.size() == 8 && kParentIdMark.size() == 8 &&
              kStartMark.size() == 8 && kEndMark.size() == 8 && kIdTextMark.size() == kIdTextBytes);

constexpr std::size_t kServices = 8;
constexpr std::size_t kPointsPerMetric = 16;
// Bytes of an attribute with its key, for the room of another one.
constexpr std::size_t kAttributeBytesGuess = 60;

constexpr std::array kRoutes = {"GET /api/v1/orders/{id}", "POST /api/v1/orders",
                                "GET /api/v1/products",    "PUT /api/v1/basket/{id}",
                                "SELECT orders",           "kafka publish order-created"};
constexpr std::array kKeys = {"http.request.method",
                              "url.path",
                              "server.address",
                              "network.peer.address",
                              "user_agent.original",
                              "http.response.status_code",
                              "db.query.text",
                              "enduser.id",
                              "messaging.destination.id",
                              "session.id"};
constexpr std::array kWords = {"GET",
                               "/api/v1/orders/",
                               "orders.shop.svc.cluster.local",
                               "10.42.",
                               "Mozilla/5.0 (X11; Linux x86_64) ",
                               "200",
                               "SELECT * FROM t WHERE a=",
                               "user-",
                               "topic-",
                               "session-"};

std::uint64_t mark_value(std::string_view mark) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, mark.data(), sizeof(value));
  return value;
}

void put_string_attribute(Writer& out, std::uint32_t field, std::string_view key,
                          std::string_view value) {
  const Writer::Mark attribute = out.begin(field);
  out.bytes(1, key);
  const Writer::Mark any = out.begin(2);
  out.bytes(1, value);
  out.end(any);
  out.end(attribute);
}

std::string random_hex(Random& random, std::size_t size) {
  std::string text;
  while (text.size() < size) text += to_hex(random.next());
  text.resize(size);
  return text;
}

std::uint32_t place_of(std::string_view item, std::string_view mark) noexcept {
  const std::size_t at = item.find(mark);
  return at == std::string_view::npos ? 0 : static_cast<std::uint32_t>(at);
}

// One encoded item, without its tag and length, and the positions of its marks.
struct Item {
  std::string bytes;
  Places places;
};

class ItemBuilder {
 public:
  ItemBuilder(Signal signal, const TemplateOptions& options, Random& random)
      : signal_(signal), options_(options), random_(random) {}

  Item build(std::size_t index) {
    Bytes fixed;
    write_fixed_fields(fixed, index);
    std::string bytes(fixed.view());
    fill_up(bytes);
    Item item{.bytes = std::move(bytes), .places = {}};
    Places& p = item.places;
    p.trace_id = place_of(item.bytes, kTraceIdMark);
    p.span_id = place_of(item.bytes, kSpanIdMark);
    p.parent_id = place_of(item.bytes, kParentIdMark);
    p.start = place_of(item.bytes, kStartMark);
    p.end = place_of(item.bytes, kEndMark);
    p.id_text = place_of(item.bytes, kIdTextMark);
    const std::size_t in_trace = index % options_.spans_per_trace;
    p.trace_item = static_cast<std::uint32_t>(index - in_trace);
    // A binary tree below the trace's first span.
    p.parent_item =
        static_cast<std::uint32_t>(index - in_trace + (in_trace > 0 ? in_trace - 1 : 0) / 2);
    p.duration_ns = static_cast<std::uint32_t>(100'000 + random_.next_below(50'000'000));
    return item;
  }

 private:
  // Field numbers of the attributes: Span 9, LogRecord 6, NumberDataPoint 7.
  std::uint32_t attribute_field() const noexcept {
    constexpr std::array<std::uint32_t, 3> fields = {9, 7, 6};
    return fields[otlp::index_of(signal_)];
  }

  void write_fixed_fields(Bytes& bytes, std::size_t index) {
    Writer out(bytes);
    switch (signal_) {
      case Signal::kTraces:
        return write_span(out, index);
      case Signal::kMetrics:
        out.fixed64(2, mark_value(kEndMark));  // start_time_unix_nano
        out.fixed64(3, mark_value(kStartMark));
        out.real(4, static_cast<double>(random_.next_below(1'000'000)) / 8);
        put_string_attribute(out, 7, kIdAttribute, kIdTextMark);
        return;
      case Signal::kLogs:
        return write_log(out, index);
    }
  }

  void write_span(Writer& out, std::size_t index) {
    out.bytes(1, kTraceIdMark);
    out.bytes(2, kSpanIdMark);
    if (index % options_.spans_per_trace != 0) out.bytes(4, kParentIdMark);
    out.bytes(5, kRoutes[random_.next_below(kRoutes.size())]);
    out.varint(6, 1 + random_.next_below(5));
    out.fixed64(7, mark_value(kStartMark));
    out.fixed64(8, mark_value(kEndMark));
    if (random_.next_below(20) == 0) {  // Some fail.
      const Writer::Mark status = out.begin(15);
      out.bytes(2, "timeout");
      out.varint(3, 2);
      out.end(status);
    }
  }

  void write_log(Writer& out, std::size_t index) {
    out.fixed64(1, mark_value(kStartMark));
    out.varint(2, 9 + 4 * random_.next_below(3));
    out.bytes(3, "INFO");
    const Writer::Mark body = out.begin(5);
    out.bytes(1, std::string("handled ") + kRoutes[random_.next_below(kRoutes.size())] + " in " +
                     std::to_string(index % 97) + " ms");
    out.end(body);
    put_string_attribute(out, 6, kIdAttribute, kIdTextMark);
    out.bytes(9, kTraceIdMark);
    out.fixed64(11, mark_value(kEndMark));
  }

  // Attributes up to the requested size; the last one is truncated to fit.
  void fill_up(std::string& item) {
    for (std::size_t i = 0;
         i < kKeys.size() && framed(item) + 2 * kAttributeBytesGuess <= options_.item_bytes; ++i) {
      item += attribute(kKeys[i], kWords[i] + random_hex(random_, 8 + random_.next_below(24)));
    }
    const std::size_t empty = framed(item + attribute("payload", ""));
    if (empty > options_.item_bytes) return;
    // Lengths grow with the value: take the largest that fits.
    std::size_t pad = options_.item_bytes - empty;
    const std::string value = random_hex(random_, pad);
    while (pad > 0 &&
           framed(item + attribute("payload", value.substr(0, pad))) > options_.item_bytes) {
      --pad;
    }
    item += attribute("payload", value.substr(0, pad));
  }
  std::string attribute(std::string_view key, std::string_view value) const {
    Bytes bytes;
    Writer out(bytes);
    put_string_attribute(out, attribute_field(), key, value);
    return std::string(bytes.view());
  }
  static std::size_t framed(const std::string& item) noexcept {
    return otlp::wire::framed_size(item.size());
  }

  const Signal signal_;
  const TemplateOptions& options_;
  Random& random_;
};

// A message under construction, with the items in it and their positions.
struct Message {
  std::string bytes;
  std::vector<Places> items;

  // Appends the other as a field of this one.
  void add(std::uint32_t field, const Message& inner) {
    Bytes header;
    Writer(header).bytes(field, {});
    header.resize(header.size() - 1);  // The tag alone.
    std::array<char, 10> length{};
    const char* end = otlp::wire::put_varint(length.data(), inner.bytes.size());
    bytes += header.view();
    bytes.append(length.data(), static_cast<std::size_t>(end - length.data()));
    const auto shift = static_cast<std::uint32_t>(bytes.size());
    bytes += inner.bytes;
    for (Places places : inner.items) {
      for (std::uint32_t* place : {&places.trace_id, &places.span_id, &places.parent_id,
                                   &places.start, &places.end, &places.id_text}) {
        if (*place != 0) *place += shift;
      }
      items.push_back(places);
    }
  }
  void add(std::uint32_t field, const Bytes& inner) {
    add(field, Message{.bytes = std::string(inner.view()), .items = {}});
  }
};

Message message_of(Item item) { return {.bytes = std::move(item.bytes), .items = {item.places}}; }

Bytes make_resource(std::size_t service, Random& random) {
  Bytes bytes;
  Writer out(bytes);
  put_string_attribute(out, 1, "service.name", "load-" + std::to_string(service % kServices));
  put_string_attribute(out, 1, "service.version", "1.2.3");
  put_string_attribute(out, 1, "k8s.namespace.name", "shop");
  put_string_attribute(out, 1, "k8s.pod.name", "load-" + random_hex(random, 10));
  put_string_attribute(out, 1, "telemetry.sdk.language", "cpp");
  return bytes;
}

Bytes make_scope() {
  Bytes bytes;
  Writer out(bytes);
  out.bytes(1, "spanway.load");
  out.bytes(2, "1");
  return bytes;
}

// A cumulative, monotonic sum.
Message make_metric(std::string_view name, const std::vector<Item>& points) {
  Message sum;
  for (const Item& point : points) sum.add(1, message_of(point));
  Bytes kind;
  Writer kind_out(kind);
  kind_out.varint(2, 2);
  kind_out.varint(3, 1);
  sum.bytes += kind.view();
  Bytes head;
  Writer head_out(head);
  head_out.bytes(1, name);
  head_out.bytes(3, "1");
  Message metric{.bytes = std::string(head.view()), .items = {}};
  metric.add(7, sum);
  return metric;
}

Message make_scope_items(Signal signal, const TemplateOptions& options, Random& random) {
  ItemBuilder builder(signal, options, random);
  Message scope_items;
  scope_items.add(1, make_scope());
  std::vector<Item> points;
  for (std::size_t i = 0; i < options.items; ++i) {
    if (signal != Signal::kMetrics) {
      scope_items.add(2, message_of(builder.build(i)));
      continue;
    }
    points.push_back(builder.build(i));
    if (points.size() == kPointsPerMetric || i + 1 == options.items) {
      scope_items.add(2,
                      make_metric("load.metric." + std::to_string(i / kPointsPerMetric), points));
      points.clear();
    }
  }
  return scope_items;
}

}  // namespace

RequestTemplate::RequestTemplate(Signal signal, const TemplateOptions& options, Random& random)
    : signal_(signal) {
  SPANWAY_CHECK(options.items > 0 && options.spans_per_trace > 0);
  Message resource_items;
  resource_items.add(1, make_resource(options.service, random));
  resource_items.add(2, make_scope_items(signal, options, random));
  Message request;
  request.add(1, resource_items);
  bytes_ = Bytes(request.bytes);
  items_ = std::move(request.items);
}

Bytes RequestTemplate::stamp(std::uint64_t run, std::uint64_t first,
                             std::uint64_t due_unix_nano) const {
  Bytes request = bytes_.clone();
  char* const data = request.data();
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Places& p = items_[i];
    const std::uint64_t number = first + i;
    if (p.trace_id != 0) {
      put_big_endian(run, data + p.trace_id);
      put_big_endian(first + p.trace_item, data + p.trace_id + 8);
    }
    if (p.span_id != 0) put_big_endian(number, data + p.span_id);
    if (p.parent_id != 0) put_big_endian(first + p.parent_item, data + p.parent_id);
    if (p.id_text != 0) {
      put_hex(run, data + p.id_text);
      put_hex(number, data + p.id_text + 16);
    }
    // fixed64 fields are little-endian, as this machine is (checked in otlp/wire.h).
    std::memcpy(data + p.start, &due_unix_nano, sizeof(due_unix_nano));
    const std::uint64_t end = due_unix_nano + (signal_ == Signal::kTraces ? p.duration_ns : 0);
    std::memcpy(data + p.end, &end, sizeof(end));
  }
  return request;
}

}  // namespace spanway::load
