#include "services/lib/schema/promoted.h"

#include <array>
#include <cstddef>

namespace spanway::schema {
namespace {

constexpr auto kText = PromotedKind::kText;
constexpr auto kInteger = PromotedKind::kInteger;

constexpr std::array<PromotedAttribute, 26> kPromoted = {{
    {"http.request.method", "http_request_method", kText},
    {"http.route", "http_route", kText},
    {"http.response.status_code", "http_response_status_code", kInteger},
    {"url.path", "url_path", kText},
    {"url.full", "url_full", kText},
    {"url.scheme", "url_scheme", kText},
    {"server.address", "server_address", kText},
    {"server.port", "server_port", kInteger},
    {"client.address", "client_address", kText},
    {"user_agent.original", "user_agent_original", kText},
    {"network.protocol.version", "network_protocol_version", kText},
    {"peer.service", "peer_service", kText},
    {"db.system", "db_system", kText},
    {"db.name", "db_name", kText},
    {"db.statement", "db_statement", kText},
    {"rpc.system", "rpc_system", kText},
    {"rpc.service", "rpc_service", kText},
    {"rpc.method", "rpc_method", kText},
    {"messaging.system", "messaging_system", kText},
    {"messaging.destination.name", "messaging_destination_name", kText},
    {"enduser.id", "enduser_id", kText},
    {"error.type", "error_type", kText},
    {"thread.id", "thread_id", kInteger},
    {"thread.name", "thread_name", kText},
    {"code.function", "code_function", kText},
    {"code.namespace", "code_namespace", kText},
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
