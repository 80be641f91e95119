#include "services/lib/otlp/metric_points.h"

#include <bit>

#include "services/lib/otlp/field_numbers.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using fields::Field;
using fields::for_each_field;
using fields::read_attribute;
using fields::set;
using fields::set_fixed64;
using wire::Type;

void set_real(double& target, const Field& field) noexcept {
  if (field.type == Type::kFixed64) target = std::bit_cast<double>(field.scalar);
}
void set_real(std::optional<double>& target, const Field& field) noexcept {
  if (field.type == Type::kFixed64) target = std::bit_cast<double>(field.scalar);
}
void set_signed(std::int32_t& target, const Field& field) noexcept {
  if (field.type != Type::kVarint) return;
  const auto zigzag = static_cast<std::uint32_t>(field.scalar);
  target = static_cast<std::int32_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
}

// A repeated fixed64 field, packed or not. False when its bytes are not a multiple of the word.
template <typename T>
bool add_fixed64(std::vector<T>& out, const Field& field) {
  if (field.type == Type::kFixed64) out.push_back(std::bit_cast<T>(field.scalar));
  if (field.type != Type::kLength) return true;
  if (field.bytes.size() % 8 != 0) return false;
  for (std::size_t i = 0; i < field.bytes.size(); i += 8)
    out.push_back(std::bit_cast<T>(wire::load64(field.bytes.data() + i)));
  return true;
}

// A repeated uint64 field, packed or not.
bool add_varints(std::vector<std::uint64_t>& out, const Field& field) {
  if (field.type == Type::kVarint) out.push_back(field.scalar);
  if (field.type != Type::kLength) return true;
  const wire::Ptr end = wire::end_of(field.bytes);
  for (wire::Ptr p = wire::begin_of(field.bytes); p != end;) {
    std::uint64_t value = 0;
    p = wire::read_varint(p, end, value);
    if (p == nullptr) return false;
    out.push_back(value);
  }
  return true;
}

bool add_attribute(std::vector<AttributeView>& attributes, const Field& field) {
  return field.type != Type::kLength || read_attribute(field.bytes, attributes.emplace_back());
}

// as_double is 4 or 3, as_int 6 in every message with a number; a oneof, the last one counts.
template <typename View>
void set_number(View& view, const Field& field, bool is_integer) noexcept {
  if (field.type != Type::kFixed64) return;
  view.kind = is_integer ? NumberKind::kInteger : NumberKind::kReal;
  view.integer = is_integer ? static_cast<std::int64_t>(field.scalar) : 0;
  view.real = is_integer ? 0 : std::bit_cast<double>(field.scalar);
}

bool read_buckets(std::string_view message, std::int32_t& offset,
                  std::vector<std::uint64_t>& counts) {
  return for_each_field(message, [&](const Field& field) {
    if (field.number == 1) set_signed(offset, field);
    return field.number != 2 || add_varints(counts, field);
  });
}

bool read_quantile(std::string_view message, QuantileView& quantile) {
  return for_each_field(message, [&](const Field& field) {
    if (field.number == 1) set_real(quantile.quantile, field);
    if (field.number == 2) set_real(quantile.value, field);
    return true;
  });
}

// Fields 2 and 3 of every kind of point.
void set_times(PointView& point, const Field& field) noexcept {
  if (field.number == 2) set_fixed64(point.start_time_unix_nano, field);
  if (field.number == 3) set_fixed64(point.time_unix_nano, field);
}

}  // namespace

bool PointReader::read(MetricType type, std::string_view message, PointView& point) {
  point = PointView{};
  attributes_.clear();
  exemplar_attributes_.clear();
  exemplars_.clear();
  exemplar_ranges_.clear();
  bounds_.clear();
  counts_.clear();
  negative_counts_.clear();
  quantiles_.clear();
  bool good = false;
  switch (type) {
    case MetricType::kNone:
      break;
    case MetricType::kGauge:
    case MetricType::kSum:
      good = read_number(message, point);
      break;
    case MetricType::kHistogram:
      good = read_histogram(message, point);
      break;
    case MetricType::kExponentialHistogram:
      good = read_exponential(message, point);
      break;
    case MetricType::kSummary:
      good = read_summary(message, point);
      break;
  }
  finish_views(point);
  return good;
}

// Views of vectors are made when these have stopped growing.
void PointReader::finish_views(PointView& point) {
  point.attributes = attributes_;
  for (std::size_t i = 0; i < exemplar_ranges_.size(); ++i) {
    const Range range = exemplar_ranges_[i];
    exemplars_[i].attributes =
        Attributes(exemplar_attributes_).subspan(range.begin, range.end - range.begin);
  }
  point.exemplars = exemplars_;
  point.bounds = bounds_;
  point.quantiles = quantiles_;
  point.counts = counts_;
  point.positive.counts = counts_;
  point.negative.counts = negative_counts_;
}

bool PointReader::read_exemplar(std::string_view message) {
  ExemplarView& exemplar = exemplars_.emplace_back();
  const std::size_t begin = exemplar_attributes_.size();
  const bool good = for_each_field(message, [&](const Field& field) {
    if (field.number == 2) set_fixed64(exemplar.time_unix_nano, field);
    if (field.number == 3) set_number(exemplar, field, false);
    if (field.number == 4) set(exemplar.span_id, field);
    if (field.number == 5) set(exemplar.trace_id, field);
    if (field.number == 6) set_number(exemplar, field, true);
    return field.number != 7 || add_attribute(exemplar_attributes_, field);
  });
  exemplar_ranges_.push_back({begin, exemplar_attributes_.size()});
  return good;
}

bool PointReader::read_number(std::string_view message, PointView& point) {
  return for_each_field(message, [&](const Field& field) {
    set_times(point, field);
    if (field.number == 4) set_number(point, field, false);
    if (field.number == 5) return field.type != Type::kLength || read_exemplar(field.bytes);
    if (field.number == 6) set_number(point, field, true);
    if (field.number == 7) return add_attribute(attributes_, field);
    if (field.number == 8) fields::set_uint32(point.flags, field);
    return true;
  });
}

bool PointReader::read_histogram(std::string_view message, PointView& point) {
  return for_each_field(message, [&](const Field& field) {
    set_times(point, field);
    switch (field.number) {
      case 4:
        set_fixed64(point.count, field);
        return true;
      case 5:
        set_real(point.sum, field);
        return true;
      case 6:
        return add_fixed64(counts_, field);
      case 7:
        return add_fixed64(bounds_, field);
      case 8:
        return field.type != Type::kLength || read_exemplar(field.bytes);
      case 9:
        return add_attribute(attributes_, field);
      case 10:
        fields::set_uint32(point.flags, field);
        return true;
      case 11:
        set_real(point.min, field);
        return true;
      case 12:
        set_real(point.max, field);
        return true;
      default:
        return true;
    }
  });
}

bool PointReader::read_exponential(std::string_view message, PointView& point) {
  return for_each_field(message, [&](const Field& field) {
    set_times(point, field);
    switch (field.number) {
      case 1:
        return add_attribute(attributes_, field);
      case 4:
        set_fixed64(point.count, field);
        return true;
      case 5:
        set_real(point.sum, field);
        return true;
      case 6:
        set_signed(point.scale, field);
        return true;
      case 7:
        set_fixed64(point.zero_count, field);
        return true;
      case 8:
        return field.type != Type::kLength ||
               read_buckets(field.bytes, point.positive.offset, counts_);
      case 9:
        return field.type != Type::kLength ||
               read_buckets(field.bytes, point.negative.offset, negative_counts_);
      case 10:
        fields::set_uint32(point.flags, field);
        return true;
      case 11:
        return field.type != Type::kLength || read_exemplar(field.bytes);
      case 12:
        set_real(point.min, field);
        return true;
      case 13:
        set_real(point.max, field);
        return true;
      case 14:
        set_real(point.zero_threshold, field);
        return true;
      default:
        return true;
    }
  });
}

bool PointReader::read_summary(std::string_view message, PointView& point) {
  return for_each_field(message, [&](const Field& field) {
    set_times(point, field);
    if (field.number == 4) set_fixed64(point.count, field);
    if (field.number == 5) set_real(point.sum, field);
    if (field.number == 6)
      return field.type != Type::kLength || read_quantile(field.bytes, quantiles_.emplace_back());
    if (field.number == 7) return add_attribute(attributes_, field);
    if (field.number == 8) fields::set_uint32(point.flags, field);
    return true;
  });
}

}  // namespace spanway::otlp
