#include "services/lib/otlp_blocks/block_converter.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/otlp/value_json.h"
#include "services/lib/otlp_blocks/attribute_keys.h"
#include "services/lib/otlp_blocks/conversion_errors.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/otlp_blocks/item_context.h"
#include "services/lib/otlp_blocks/item_time.h"
#include "services/lib/otlp_blocks/log_rows.h"
#include "services/lib/otlp_blocks/metric_blocks.h"
#include "services/lib/otlp_blocks/resource_rows.h"
#include "services/lib/otlp_blocks/span_rows.h"
#include "services/lib/otlp_blocks/stream_rows.h"

namespace spanway::otlp_blocks {
namespace {

// Rows of spans and logs by day, and the dictionary rows that belong to them.
class BlockVisitor final : public otlp::RequestVisitor {
 public:
  BlockVisitor(otlp::Signal signal, const ConvertOptions& options)
      : options_(options),
        keys_(signal, options.tenant, options.known),
        resources_(options.tenant, options.known),
        streams_(options.tenant, options.known) {
    context_.tenant = options.tenant;
  }

  Status on_resource(const otlp::ResourceView& resource) override {
    resource_ = &resource;
    context_.service_name = text_of(resource, "service.name");
    context_.resource_id = resource_id(resource);
    is_resource_added_ = false;
    keys_.set_service(context_.service_name);
    stream_.reset();
    return {};
  }

  Status on_scope(const otlp::ScopeView& scope) override {
    scope_ = &scope;
    context_.scope_name = scope.name;
    context_.scope_version = scope.version;
    context_.scope_attributes.clear();
    if (!append_typed_json(scope.attributes, context_.scope_attributes))
      return cannot_store("scope");
    noted_day_ = -1;
    return {};
  }

  Status on_span(const otlp::SpanView& span) override {
    if (!span.has_valid_ids()) {
      ++rejected_;
      return {};
    }
    const std::int64_t time = clamped_time(span.start_time_unix_nano);
    SPANWAY_ASSIGN(SpanRows * rows, rows_of(spans_, day_of(time)));
    SPANWAY_TRY(note_item(time));
    if (!rows->append(context_, span, keys_)) return cannot_store("span");
    return {};
  }

  Status on_log(const otlp::LogView& log) override {
    const std::int64_t time = time_of(log);
    SPANWAY_ASSIGN(LogRows * rows, rows_of(logs_, day_of(time)));
    SPANWAY_TRY(note_item(time));
    if (!stream_) stream_ = stream_labels(*resource_);
    context_.stream_id = stream_->id;
    streams_.seen(*stream_, day_of(time), seconds_of(time));
    if (!rows->append(context_, log, keys_)) return cannot_store("log record");
    return {};
  }

  RequestBlocks take() {
    RequestBlocks blocks;
    blocks.rejected = rejected_;
    if (rejected_ > 0) blocks.rejected_reason = "spans have no valid trace and span id";
    const auto add = [&](DictionaryBlock dictionary) {
      if (dictionary.rows.rows() > 0) blocks.dictionaries.push_back(std::move(dictionary));
    };
    add(resources_.take());
    add(streams_.take());
    add(keys_.take());
    for (auto& [day, rows] : spans_) blocks.data.push_back({"spans", day, rows.take()});
    for (auto& [day, rows] : logs_) blocks.data.push_back({"logs", day, rows.take()});
    return blocks;
  }

 private:
  Status note_item(std::int64_t time) {
    if (!is_resource_added_ && !resources_.add(context_.resource_id, *resource_))
      return cannot_store("resource");
    is_resource_added_ = true;
    resources_.seen(context_.resource_id, seconds_of(time));
    if (const std::int32_t day = day_of(time); day != noted_day_) {
      noted_day_ = day;
      keys_.note(day, AttributeScope::kResource, resource_->attributes);
      keys_.note(day, AttributeScope::kScope, scope_->attributes);
    }
    if (++items_ % Converter::kItemsPerPermit != 1 || !options_.grow) return {};
    return options_.grow(memory_bytes() + Converter::kPermitMarginBytes)
               ? ok_status()
               : Status(no_memory_to_convert());
  }

  std::size_t memory_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const auto& [day, rows] : spans_) bytes += rows.block().memory_bytes();
    for (const auto& [day, rows] : logs_) bytes += rows.block().memory_bytes();
    return bytes;
  }

  const ConvertOptions& options_;
  ItemContext context_;
  const otlp::ResourceView* resource_ = nullptr;  // Valid until the next resource.
  bool is_resource_added_ = false;  // With its first item: resources without items have no row.
  const otlp::ScopeView* scope_ = nullptr;  // Valid until the next scope.
  std::int32_t noted_day_ = -1;             // The day for which both were noted.
  std::optional<StreamLabels> stream_;      // Computed for the first record of a resource.
  AttributeKeys keys_;
  ResourceRows resources_;
  StreamRows streams_;
  std::map<std::int32_t, SpanRows> spans_;
  std::map<std::int32_t, LogRows> logs_;
  std::uint64_t items_ = 0;
  std::uint64_t rejected_ = 0;
};

}  // namespace

Result<RequestBlocks> Converter::convert(otlp::Signal signal, std::string_view payload,
                                         const ConvertOptions& options) {
  SPANWAY_ASSIGN(RequestBlocks blocks, signal == otlp::Signal::kMetrics
                                           ? convert_metrics(payload, options)
                                           : convert_items(signal, payload, options));
  if (options.grow && !options.grow(blocks.memory_bytes())) return no_memory_to_convert();
  return blocks;
}

Result<RequestBlocks> Converter::convert_items(otlp::Signal signal, std::string_view payload,
                                               const ConvertOptions& options) {
  BlockVisitor visitor(signal, options);
  SPANWAY_TRY(reader_.read(signal, payload, visitor));
  return visitor.take();
}

Result<RequestBlocks> Converter::convert_metrics(std::string_view payload,
                                                 const ConvertOptions& options) {
  MetricBlocks blocks(options, labels_, points_);
  SPANWAY_TRY(reader_.read(otlp::Signal::kMetrics, payload, blocks));
  SPANWAY_TRY(blocks.end_resource());
  return blocks.take();
}

}  // namespace spanway::otlp_blocks
