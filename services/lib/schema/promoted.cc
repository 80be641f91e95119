#include "services/lib/schema/promoted.h"

#include <array>
#include <cstddef>

namespace spanway::schema {
namespace {

constexpr auto kText = PromotedKind::kText;
constexpr auto kInteger = PromotedKind::kInteger;

constexpr std::array<PromotedAttribute, 26> kPromoted = {{
    {"http.request.method", "http_request_method", kText, false},
    {"http.route", "http_route", kText, true},
    {"http.response.status_code", "http_response_status_code", kInteger, true},
    {"url.path", "url_path", kText, true},
    {"url.full", "url_full", kText, true},
    {"url.scheme", "url_scheme", kText, false},
    {"server.address", "server_address", kText, true},
    {"server.port", "server_port", kInteger, false},
    {"client.address", "client_address", kText, true},
    {"user_agent.original", "user_agent_original", kText, false},
    {"network.protocol.version", "network_protocol_version", kText, false},
    {"peer.service", "peer_service", kText, true},
    {"db.system", "db_system", kText, false},
    {"db.name", "db_name", kText, true},
    {"db.statement", "db_statement", kText, false},
    {"rpc.system", "rpc_system", kText, false},
    {"rpc.service", "rpc_service", kText, true},
    {"rpc.method", "rpc_method", kText, true},
    {"messaging.system", "messaging_system", kText, false},
    {"messaging.destination.name", "messaging_destination_name", kText, true},
    {"enduser.id", "enduser_id", kText, true},
    {"error.type", "error_type", kText, true},
    {"thread.id", "thread_id", kInteger, false},
    {"thread.name", "thread_name", kText, false},
    {"code.function", "code_function", kText, false},
    {"code.namespace", "code_namespace", kText, false},
}};

// A perfect hash: the seed under which no two keys share a slot is found by the compiler.
constexpr std::size_t kSlots = 128;
constexpr std::size_t kKeyBytesMin = 7;  // "db.name"

constexpr std::size_t slot_of(std::string_view key, std::uint32_t seed) noexcept {
  const auto byte = [&](std::size_t i) {
    return std::uint32_t{static_cast<unsigned char>(key[i])};
  };
  std::uint32_t hash = seed + static_cast<std::uint32_t>(key.size());
  for (const std::size_t i : {key.size() - 1, key.size() - 3, key.size() / 2, std::size_t{0}})
    hash = (hash ^ byte(i)) * 0x9E3779B1u;
  return hash >> 25;
}

struct Slots {
  std::array<std::int8_t, kSlots> index{};
  bool perfect = true;
};
constexpr Slots slots_for(std::uint32_t seed) noexcept {
  Slots slots;
  slots.index.fill(-1);
  for (std::size_t i = 0; i < kPromoted.size(); ++i) {
    std::int8_t& slot = slots.index[slot_of(kPromoted[i].key, seed)];
    if (slot != -1) slots.perfect = false;
    slot = static_cast<std::int8_t>(i);
  }
  return slots;
}
constexpr std::uint32_t find_seed() noexcept {
  std::uint32_t seed = 1;
  while (seed < 1000 && !slots_for(seed).perfect) ++seed;
  return seed;
}
constexpr std::uint32_t kSeed = find_seed();
constexpr Slots kIndex = slots_for(kSeed);
static_assert(kIndex.perfect);

}  // namespace

std::span<const PromotedAttribute> promoted_attributes() noexcept { return kPromoted; }

int find_promoted(std::string_view key) noexcept {
  if (key.size() < kKeyBytesMin) return -1;
  const int index = kIndex.index[slot_of(key, kSeed)];
  return index >= 0 && kPromoted[static_cast<std::size_t>(index)].key == key ? index : -1;
}

}  // namespace spanway::schema
