#include "services/lib/prometheus_write/write_requests.h"

#include <span>
#include <utility>

#include "services/lib/otlp/wire.h"

namespace spanway::prometheus_write {
namespace {

using otlp::wire::Writer;
using promseries::Exemplar;
using promseries::Label;
using promseries::NativeHistogram;
using promseries::Series;

// Fields of Request, TimeSeries, Sample, Exemplar, Metadata and Histogram.
constexpr std::uint32_t kSymbols = 4, kTimeSeries = 5;
constexpr std::uint32_t kRefs = 1, kSamples = 2, kHistograms = 3, kExemplars = 4, kMetadata = 5;
constexpr std::uint64_t kResetHintGauge = 3;

std::uint64_t bits(std::int64_t value) noexcept { return static_cast<std::uint64_t>(value); }
std::uint64_t zigzag(std::int64_t value) noexcept { return (bits(value) << 1) ^ bits(value >> 63); }

void append_varint(Bytes& out, std::uint64_t value) {
  char text[10];
  const char* end = otlp::wire::put_varint(text, value);
  out.append({text, static_cast<std::size_t>(end - text)});
}

void append_side(Writer& writer, Bytes& packed, std::uint32_t field,
                 std::span<const promseries::BucketSpan> spans,
                 std::span<const std::int64_t> deltas) {
  for (const promseries::BucketSpan& span : spans) {
    const auto mark = writer.begin(field);
    writer.varint(1, zigzag(span.offset));
    writer.varint(2, span.length);
    writer.end(mark);
  }
  packed.clear();
  for (const std::int64_t delta : deltas) append_varint(packed, zigzag(delta));
  if (!packed.empty()) writer.bytes(field + 1, packed.view());
}

}  // namespace

void WriteRequests::begin() {
  refs_.clear();
  symbols_.clear();
  series_.clear();
  open_ = WriteRequest{};
  symbol("");  // The first symbol is the empty one.
}

std::uint32_t WriteRequests::symbol(std::string_view text) {
  key_ = text;
  const auto [place, is_new] = refs_.try_emplace(key_, static_cast<std::uint32_t>(refs_.size()));
  if (is_new) Writer(symbols_).bytes(kSymbols, text);
  return place->second;
}

void WriteRequests::append_refs(promseries::Labels labels) {
  packed_.clear();
  for (const Label& label : labels) {
    append_varint(packed_, symbol(label.name));
    append_varint(packed_, symbol(label.value));
  }
  Writer(series_).bytes(kRefs, packed_.view());
}

void WriteRequests::append_rest(const Series& series) {
  Writer writer(series_);
  for (const Exemplar& exemplar : series.exemplars) {
    const auto mark = writer.begin(kExemplars);
    append_refs(exemplar.labels);
    writer.real(2, exemplar.value);
    writer.varint(3, bits(exemplar.timestamp_ms));
    writer.end(mark);
    ++open_.exemplars;
  }
  const auto mark = writer.begin(kMetadata);
  writer.varint(1, static_cast<std::uint64_t>(series.metadata.type));
  writer.varint(3, symbol(series.metadata.help));
  writer.varint(4, symbol(series.metadata.unit));
  writer.end(mark);
}

void WriteRequests::on_sample(const Series& series, double value) {
  Writer writer(series_);
  const auto of_series = writer.begin(kTimeSeries);
  append_refs(series.labels);
  const auto of_sample = writer.begin(kSamples);
  writer.real(1, value);
  writer.varint(2, bits(series.timestamp_ms));
  if (series.start_timestamp_ms != 0) writer.varint(3, bits(series.start_timestamp_ms));
  writer.end(of_sample);
  append_rest(series);
  writer.end(of_series);
  ++open_.samples;
}

void WriteRequests::on_histogram(const Series& series, const NativeHistogram& histogram) {
  Writer writer(series_);
  const auto of_series = writer.begin(kTimeSeries);
  append_refs(series.labels);
  const auto mark = writer.begin(kHistograms);
  writer.varint(1, histogram.count);
  writer.real(3, histogram.sum);
  writer.varint(4, zigzag(histogram.schema));
  writer.real(5, histogram.zero_threshold);
  writer.varint(6, histogram.zero_count);
  append_side(writer, packed_, 8, histogram.negative_spans, histogram.negative_deltas);
  append_side(writer, packed_, 11, histogram.positive_spans, histogram.positive_deltas);
  if (histogram.is_gauge) writer.varint(14, kResetHintGauge);
  writer.varint(15, bits(series.timestamp_ms));
  packed_.clear();
  for (const double bound : histogram.custom_values)
    packed_.append({reinterpret_cast<const char*>(&bound), sizeof(bound)});
  if (!packed_.empty()) writer.bytes(16, packed_.view());
  if (series.start_timestamp_ms != 0) writer.varint(17, bits(series.start_timestamp_ms));
  writer.end(mark);
  append_rest(series);
  writer.end(of_series);
  ++open_.histograms;
}

Status WriteRequests::on_point_end() {
  if (symbols_.size() + series_.size() >= bytes_max_) end();
  return {};
}

void WriteRequests::end() {
  if (!series_.empty()) {
    open_.body = std::move(symbols_);
    open_.body.append(series_.view());
    done_.push_back(std::move(open_));
  }
  begin();
}

std::vector<WriteRequest> WriteRequests::take() {
  end();
  return std::move(done_);
}

}  // namespace spanway::prometheus_write
