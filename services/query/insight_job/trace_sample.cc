#include "services/query/insight_job/trace_sample.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "services/lib/otlp/value_json.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/api/trace_windows.h"

namespace spanway::query {
namespace {

using insight::SampledSpan;
using insight::SampledTrace;
using insight::SpanReference;
using insight::TextAttributes;

constexpr std::int64_t kMinuteNanos = 60'000'000'000;
// Parents may have begun earlier than the window, children end later.
constexpr std::int64_t kBefore = 10 * kMinuteNanos, kAfter = 5 * kMinuteNanos;
// A message may have waited in its queue.
constexpr std::int64_t kLinkedBefore = 60 * kMinuteNanos;
constexpr std::size_t kLinkedMax = 2'000;
// Ids of one search.
constexpr std::size_t kFoundMax = 50'000;
// A longer text is truncated: neither an attribute to compare nor a statement needs more.
constexpr std::size_t kTextBytesMax = 1024;
constexpr std::size_t kAttributesMax = 64;
constexpr std::string_view kServiceName = "service.name";

// The ids with the smallest hashes: a choice that does not depend on the order of the ids.
class ChosenIds {
 public:
  explicit ChosenIds(std::size_t max) : max_(max) {}
  void add(const TraceId& id) {
    ids_.emplace(otlp_blocks::murmur3(id).low, id);
    while (ids_.size() > max_) {
      ids_.erase(std::prev(ids_.end()));
      is_cut_ = true;
    }
  }
  // The part of all ids that these are, about: hashes are spread evenly.
  double part() const {
    if (!is_cut_ || ids_.empty()) return 1;
    return static_cast<double>(ids_.rbegin()->first) /
           static_cast<double>(std::numeric_limits<std::uint64_t>::max());
  }
  // In their own order: adjacent in the store.
  std::vector<TraceId> in_order() const {
    std::vector<TraceId> result;
    for (const auto& [hash, id] : ids_) result.push_back(id);
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  const std::size_t max_;
  std::set<std::pair<std::uint64_t, TraceId>> ids_;
  bool is_cut_ = false;
};

struct Search {
  std::size_t found = 0;
  double covered = 1;  // The part of the range that was read.
};

Result<Search> find_ids(TraceStore& store, TimeRange range, QueryContext& context,
                        ChosenIds& chosen) {
  SpanQuery query;
  query.range = range;
  query.limit = kFoundMax;
  SPANWAY_ASSIGN(const Found found, store.find(query, context));
  if (!context.coverage.complete)
    return data_error(Code::kResourceExhausted,
                      "the traces of a window cannot be listed: " + context.coverage.why)
        .with_reason("window_too_large");
  context.budget.memory.shrink_to(0);
  for (const FoundTrace& trace : found.traces) chosen.add(trace.trace_id);
  Search search{.found = found.traces.size()};
  if (search.found >= kFoundMax)
    search.covered = static_cast<double>(range.end - found.traces.back().newest_unix_nano) /
                     static_cast<double>(range.end - range.begin);
  return search;
}

// The ids of the window's traces, and the part of them that they are.
Result<std::pair<std::vector<TraceId>, double>> choose_ids(TraceStore& store, TimeRange window,
                                                           std::size_t max, QueryContext& context) {
  ChosenIds all(max);
  SPANWAY_ASSIGN(const Search search, find_ids(store, window, context, all));
  if (search.found < kFoundMax) return std::pair(all.in_order(), all.part());
  // The newest ones alone are the end of the window.
  ChosenIds by_minute(max);
  double covered = 0, minutes = 0;
  for (std::int64_t begin = window.begin; begin < window.end; begin += kMinuteNanos) {
    const TimeRange minute{begin, std::min(begin + kMinuteNanos, window.end)};
    SPANWAY_ASSIGN(const Search one, find_ids(store, minute, context, by_minute));
    covered += one.covered;
    ++minutes;
  }
  return std::pair(by_minute.in_order(), by_minute.part() * covered / minutes);
}

// Arrays, lists and bytes have no text: they are nothing to compare traces by.
std::string text_of(const otlp::ValueView& value) {
  std::string text;
  if (value.kind == otlp::ValueKind::kString) {
    text = value.text.substr(0, kTextBytesMax);
  } else if (value.kind == otlp::ValueKind::kBool || value.kind == otlp::ValueKind::kInt ||
             value.kind == otlp::ValueKind::kDouble) {
    otlp::append_plain_text(value, text);
  }
  return text;
}

TextAttributes texts_of(otlp::Attributes attributes, std::size_t& bytes) {
  TextAttributes texts;
  texts.reserve(std::min(attributes.size(), kAttributesMax));
  for (const otlp::AttributeView& attribute : attributes) {
    if (texts.size() == kAttributesMax) break;
    if (attribute.key == kServiceName) continue;
    std::string text = text_of(attribute.value);
    if (text.empty()) continue;
    texts.emplace_back(std::string(attribute.key), std::move(text));
    bytes += sizeof(texts[0]) + texts.back().first.size() + texts.back().second.size();
  }
  return texts;
}

// Traces as they are read. A resource is kept with one span of each trace only: its attributes are
// those of the trace.
class Collector {
 public:
  void add(const otlp_blocks::StoredSpan& stored, const otlp::ResourceView* resource) {
    const auto [found, is_new] = traces_.try_emplace(TraceId(stored.span.trace_id), Collected{});
    std::size_t bytes = is_new ? sizeof(SampledTrace) + sizeof(Collected) + 2 * sizeof(TraceId) : 0;
    SampledSpan& span = found->second.trace.spans.emplace_back();
    span.id = stored.span.span_id;
    span.parent_id = stored.span.parent_span_id;
    if (span.parent_id.find_first_not_of('\0') == std::string::npos) span.parent_id.clear();
    span.service = stored.service_name;
    span.name = stored.span.name.substr(0, kTextBytesMax);
    span.kind = stored.span.kind;
    span.has_failed = stored.span.status_code == otlp::StatusCode::kError;
    span.start_unix_nano = static_cast<std::int64_t>(stored.span.start_time_unix_nano);
    span.duration_ns = std::max<std::int64_t>(
        static_cast<std::int64_t>(stored.span.end_time_unix_nano) - span.start_unix_nano, 0);
    span.attributes = texts_of(stored.span.attributes, bytes);
    if (resource != nullptr && found->second.resources.insert(stored.resource_id).second)
      span.resource = texts_of(resource->attributes, bytes);
    for (const otlp::LinkView& link : stored.span.links)
      span.links.push_back({TraceId(link.trace_id), std::string(link.span_id)});
    bytes += sizeof(SampledSpan) + span.service.size() + span.name.size() +
             span.links.size() * 2 * sizeof(SpanReference);
    found->second.bytes += bytes;
    bytes_ += bytes;
  }
  void drop(std::span<const TraceId> ids) {
    for (const TraceId& id : ids)
      if (const auto found = traces_.find(id); found != traces_.end()) {
        bytes_ -= found->second.bytes;
        traces_.erase(found);
      }
  }
  std::size_t bytes() const { return bytes_; }
  // By id.
  std::vector<SampledTrace> take() {
    std::vector<SampledTrace> result;
    result.reserve(traces_.size());
    for (auto& [id, collected] : traces_) {
      collected.trace.id = id;
      result.push_back(std::move(collected.trace));
    }
    traces_.clear();
    return result;
  }

 private:
  struct Collected {
    SampledTrace trace = {};
    std::set<std::uint64_t> resources = {};
    std::size_t bytes = 0;
  };
  std::map<TraceId, Collected> traces_;
  std::size_t bytes_ = 0;
};

Status hold(std::size_t bytes, Permit& permit) {
  if (permit.grow_to(bytes)) return {};
  return transient_error(Code::kResourceExhausted, "the process has no memory left for the insight")
      .with_reason("no_memory");
}

struct Bounds {
  std::size_t bytes_max;
  std::size_t held;  // By others, in the same permit.
  Permit& memory;
};

// False where the traces do not fit: what has been read of them is dropped.
Result<bool> read_spans(TraceStore& store, std::span<const TraceId> ids, TimeRange range,
                        const Bounds& bounds, QueryContext& context, Collector& collector) {
  SPANWAY_ASSIGN(auto spans, store.spans_of(ids, range, SpanColumns::kAll, context));
  TraceWindows windows(store, std::move(spans), context);
  while (true) {
    SPANWAY_ASSIGN(const auto block, windows.next());
    if (!block) break;
    otlp_blocks::SpanReader reader(*block);
    for (std::size_t row = 0; row < reader.rows(); ++row)
      if (const otlp_blocks::StoredSpan* stored = reader.read(row))
        collector.add(*stored, windows.resources().find(stored->resource_id));
    if (collector.bytes() > bounds.bytes_max) {
      collector.drop(ids);
      return false;
    }
    SPANWAY_TRY(hold(bounds.held + collector.bytes(), bounds.memory));
  }
  return true;
}

// As read_spans(), or a part of the query's own memory was too small for them.
Result<bool> try_spans(TraceStore& store, std::span<const TraceId> ids, TimeRange range,
                       const Bounds& bounds, QueryContext& context, Collector& collector) {
  auto fits = read_spans(store, ids, range, bounds, context, collector);
  context.budget.memory.shrink_to(0);
  if (fits.ok() || fits.error().code != Code::kResourceExhausted ||
      fits.error().refusal != Refusal::kData)
    return fits;
  collector.drop(ids);
  return false;
}

bool is_rooted_in(const SampledTrace& trace, TimeRange window) {
  const auto first =
      std::min_element(trace.spans.begin(), trace.spans.end(), [](const auto& a, const auto& b) {
        return std::pair(a.start_unix_nano, !a.parent_id.empty()) <
               std::pair(b.start_unix_nano, !b.parent_id.empty());
      });
  return first != trace.spans.end() && first->parent_id.empty() &&
         window.contains(first->start_unix_nano);
}

// The traces, outside of the sample, that links of the sample refer to.
std::vector<TraceId> linked_ids(const std::vector<SampledTrace>& traces,
                                std::set<SpanReference>& references) {
  std::set<TraceId> own, ids;
  for (const SampledTrace& trace : traces) own.insert(trace.id);
  for (const SampledTrace& trace : traces)
    for (const SampledSpan& span : trace.spans)
      for (const SpanReference& link : span.links) {
        if (own.contains(link.trace_id) || ids.size() >= kLinkedMax) continue;
        ids.insert(link.trace_id);
        references.insert(link);
      }
  return {ids.begin(), ids.end()};
}

// Appends the spans of other traces that links refer to, each as a trace of its own: without a
// parent and a peer, they are counted by nothing but the link.
Status add_linked(TraceStore& store, TimeRange window, std::size_t bytes_max, QueryContext& context,
                  TraceSample& sample) {
  std::set<SpanReference> references;
  const std::vector<TraceId> ids = linked_ids(sample.traces, references);
  for (std::size_t at = 0; at < ids.size(); at += TraceStore::kTraceIdsMax) {
    Collector collector;
    const std::size_t count = std::min(TraceStore::kTraceIdsMax, ids.size() - at);
    const Bounds bounds{bytes_max, sample.memory.bytes(), sample.memory};
    SPANWAY_ASSIGN(const bool fits, try_spans(store, {ids.data() + at, count},
                                              {window.begin - kLinkedBefore, window.end}, bounds,
                                              context, collector));
    if (!fits) break;
    for (SampledTrace& trace : collector.take())
      for (SampledSpan& span : trace.spans) {
        if (!references.contains({trace.id, span.id})) continue;
        span.parent_id.clear();
        span.attributes.clear();
        span.links.clear();
        sample.traces.push_back({trace.id, {std::move(span)}});
        ++sample.linked;
      }
  }
  return {};
}

}  // namespace

Result<TraceSample> read_sample(TraceStore& store, TimeRange window, const SampleBounds& bounds,
                                MemoryBudget& budget, QueryContext& context) {
  TraceSample sample;
  sample.memory = budget.empty_permit();
  SPANWAY_ASSIGN(const auto chosen, choose_ids(store, window, bounds.traces_max, context));
  const auto& [ids, part] = chosen;
  sample.part = part;
  Collector collector;
  const TimeRange range{window.begin - kBefore, window.end + kAfter};
  const Bounds own{bounds.bytes_max, 0, sample.memory};
  std::size_t read = 0, at = 0, chunk = TraceStore::kTraceIdsMax;
  while (at < ids.size()) {
    const std::size_t count = std::min(chunk, ids.size() - at);
    SPANWAY_ASSIGN(const bool fits,
                   try_spans(store, {ids.data() + at, count}, range, own, context, collector));
    if (fits) {
      read += count;
    } else if (collector.bytes() > bounds.bytes_max / 2) {
      break;  // Nearly full.
    } else if (count > 1) {
      chunk = count / 2;
      continue;
    }  // Else one trace that is too large alone.
    at += count;
  }
  if (read < ids.size()) sample.part *= static_cast<double>(read) / static_cast<double>(ids.size());
  sample.traces = collector.take();
  const auto others =
      std::stable_partition(sample.traces.begin(), sample.traces.end(),
                            [&](const SampledTrace& trace) { return is_rooted_in(trace, window); });
  sample.rooted = static_cast<std::size_t>(others - sample.traces.begin());
  SPANWAY_TRY(add_linked(store, window, bounds.bytes_max, context, sample));
  return sample;
}

}  // namespace spanway::query
