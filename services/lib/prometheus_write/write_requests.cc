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

// Fields of the request, and of the message of one series.
struct Fields {
  std::uint32_t time_series, labels, samples, histograms, exemplars;
};
constexpr Fields kFieldsV1 = {
    .time_series = 1, .labels = 1, .samples = 2, .histograms = 4, .exemplars = 3};
constexpr Fields kFieldsV2 = {
    .time_series = 5, .labels = 1, .samples = 2, .histograms = 3, .exemplars = 4};
constexpr const Fields& fields_of(Protocol protocol) noexcept {
  return protocol == Protocol::kV1 ? kFieldsV1 : kFieldsV2;
}
constexpr std::uint32_t kSymbolsV2 = 4, kMetadataOfSeriesV2 = 5, kMetadataV1 = 3;
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
  strings_.clear();
  series_.clear();
  open_ = WriteRequest{};
  entries_at_point_end_ = 0;
  if (protocol_ == Protocol::kV2) symbol("");  // The first symbol is the empty one.
}

std::uint32_t WriteRequests::symbol(std::string_view text) {
  key_ = text;
  const auto [place, is_new] = refs_.try_emplace(key_, static_cast<std::uint32_t>(refs_.size()));
  if (is_new) Writer(strings_).bytes(kSymbolsV2, text);
  return place->second;
}

void WriteRequests::append_labels(std::uint32_t field, promseries::Labels labels) {
  Writer writer(series_);
  if (protocol_ == Protocol::kV1) {
    for (const Label& label : labels) {
      const auto mark = writer.begin(field);
      writer.bytes(1, label.name);
      writer.bytes(2, label.value);
      writer.end(mark);
    }
    return;
  }
  packed_.clear();
  for (const Label& label : labels) {
    append_varint(packed_, symbol(label.name));
    append_varint(packed_, symbol(label.value));
  }
  writer.bytes(field, packed_.view());
}

void WriteRequests::append_exemplars(const Series& series) {
  Writer writer(series_);
  for (const Exemplar& exemplar : series.exemplars) {
    const auto mark = writer.begin(fields_of(protocol_).exemplars);
    append_labels(1, exemplar.labels);
    writer.real(2, exemplar.value);
    writer.varint(3, bits(exemplar.timestamp_ms));
    writer.end(mark);
    ++open_.exemplars;
  }
}

void WriteRequests::append_metadata(const promseries::Metadata& metadata) {
  const auto type = static_cast<std::uint64_t>(metadata.type);
  if (protocol_ == Protocol::kV2) {
    Writer writer(series_);
    const auto mark = writer.begin(kMetadataOfSeriesV2);
    writer.varint(1, type);
    writer.varint(3, symbol(metadata.help));
    writer.varint(4, symbol(metadata.unit));
    writer.end(mark);
    return;
  }
  key_ = metadata.family;
  if (!refs_.try_emplace(key_, 0).second) return;
  Writer writer(strings_);
  const auto mark = writer.begin(kMetadataV1);
  writer.varint(1, type);
  writer.bytes(2, metadata.family);
  writer.bytes(4, metadata.help);
  writer.bytes(5, metadata.unit);
  writer.end(mark);
}

void WriteRequests::on_sample(const Series& series, double value) {
  const Fields& fields = fields_of(protocol_);
  Writer writer(series_);
  const auto of_series = writer.begin(fields.time_series);
  append_labels(fields.labels, series.labels);
  const auto of_sample = writer.begin(fields.samples);
  writer.real(1, value);
  writer.varint(2, bits(series.timestamp_ms));
  if (protocol_ == Protocol::kV2 && series.start_timestamp_ms != 0)
    writer.varint(3, bits(series.start_timestamp_ms));
  writer.end(of_sample);
  append_exemplars(series);
  append_metadata(series.metadata);
  writer.end(of_series);
  ++open_.samples;
}

void WriteRequests::on_histogram(const Series& series, const NativeHistogram& histogram) {
  const Fields& fields = fields_of(protocol_);
  Writer writer(series_);
  const auto of_series = writer.begin(fields.time_series);
  append_labels(fields.labels, series.labels);
  const auto mark = writer.begin(fields.histograms);
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
  if (protocol_ == Protocol::kV2 && series.start_timestamp_ms != 0)
    writer.varint(17, bits(series.start_timestamp_ms));
  writer.end(mark);
  append_exemplars(series);
  append_metadata(series.metadata);
  writer.end(of_series);
  ++open_.histograms;
}

Status WriteRequests::on_point_end() {
  if (open_.entries() > entries_at_point_end_) ++open_.points;
  entries_at_point_end_ = open_.entries();
  if (open_bytes() >= bytes_max_) end();
  return {};
}

void WriteRequests::end() {
  if (!series_.empty()) {
    open_.body = std::move(strings_);
    open_.body.append(series_.view());
    done_.push_back(std::move(open_));
  }
  begin();
}

std::vector<WriteRequest> WriteRequests::take_ended() {
  return std::exchange(done_, std::vector<WriteRequest>());
}

std::vector<WriteRequest> WriteRequests::take() {
  end();
  return take_ended();
}

}  // namespace spanway::prometheus_write
