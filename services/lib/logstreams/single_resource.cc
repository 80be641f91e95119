#include "services/lib/logstreams/single_resource.h"

#include <cstddef>
#include <string>
#include <unordered_map>

#include "services/lib/otlp/wire.h"

namespace spanway::logstreams {
namespace {

namespace wire = otlp::wire;

constexpr std::uint32_t kResourceLogs = wire::make_tag(1, wire::Type::kLength);
constexpr std::uint32_t kResource = wire::make_tag(1, wire::Type::kLength);

Error malformed() {
  return invalid_argument("not an ExportLogsServiceRequest").with_reason("malformed_request");
}

// The encoded resource of a ResourceLogs; a repeated one counts as another resource.
Result<std::string> resource_of(std::string_view resource_logs) {
  std::string resource;
  wire::Field field;
  wire::Ptr p = wire::begin_of(resource_logs);
  for (const wire::Ptr end = wire::end_of(resource_logs); p != end;) {
    p = wire::read_field(p, end, field);
    if (p == nullptr) return malformed();
    if (field.tag == kResource) resource += field.bytes();
  }
  return resource;
}

}  // namespace

Result<std::vector<Bytes>> single_resource_requests(std::string_view payload) {
  // The ResourceLogs of each resource, with tag and length.
  std::vector<std::vector<std::string_view>> groups;
  std::unordered_map<std::string, std::size_t> group_of;
  wire::Field field;
  wire::Ptr p = wire::begin_of(payload);
  for (const wire::Ptr end = wire::end_of(payload); p != end;) {
    const wire::Ptr begin = p;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return malformed();
    if (field.tag != kResourceLogs) continue;
    SPANWAY_ASSIGN(std::string resource, resource_of(field.bytes()));
    const auto [place, is_new] = group_of.emplace(std::move(resource), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(wire::view_of(begin, p));
  }
  std::vector<Bytes> requests;
  if (groups.size() < 2) return requests;
  requests.reserve(groups.size());
  for (const auto& group : groups) {
    std::size_t size = 0;
    for (const std::string_view part : group) size += part.size();
    Bytes& request = requests.emplace_back();
    request.reserve(size);
    for (const std::string_view part : group) request.append(part);
  }
  return requests;
}

}  // namespace spanway::logstreams
