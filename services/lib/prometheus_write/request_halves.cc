#include "services/lib/prometheus_write/request_halves.h"

#include <cstddef>

#include "services/lib/otlp/wire.h"

namespace spanway::prometheus_write {
namespace {

namespace wire = otlp::wire;

constexpr std::uint32_t kTimeSeries = wire::make_tag(1, wire::Type::kLength);

Error not_a_request() {
  return unknown_error(Code::kInternal, "A request of remote write cannot be divided");
}

}  // namespace

Result<std::array<Bytes, 2>> halves_of(std::string_view body) {
  const wire::Ptr end = wire::end_of(body);
  std::size_t entries = 0;
  for (wire::Ptr p = wire::begin_of(body); p != end;) {
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return not_a_request();
    if (field.tag == kTimeSeries) ++entries;
  }
  if (entries < 2) return not_a_request();
  std::array<Bytes, 2> halves;
  std::size_t entry = 0;
  for (wire::Ptr p = wire::begin_of(body); p != end;) {
    wire::Field field;
    const wire::Ptr begin = p;
    p = wire::read_field(p, end, field);
    const bool is_second = field.tag == kTimeSeries && entry++ >= entries / 2;
    halves[is_second ? 1 : 0].append(wire::view_of(begin, p));
  }
  return halves;
}

}  // namespace spanway::prometheus_write
