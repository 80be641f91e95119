// Rows of attribute_keys: which keys occur, with which type, in which services.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/otlp_blocks/attribute_maps.h"
#include "services/lib/otlp_blocks/request_blocks.h"

namespace spanway::otlp_blocks {

// As the enumeration of attribute_keys.scope.
enum class AttributeScope : std::int8_t {
  kResource = 0,
  kScope = 1,
  kItem = 2,
  kEvent = 3,
  kLink = 4,
};

// Collects the keys of one request, each once. Keys above kKeysMax of a request are left out: they
// serve completion, not storage.
class AttributeKeys {
 public:
  static constexpr std::size_t kKeysMax = 4096;

  AttributeKeys(otlp::Signal signal, std::string_view tenant, const KnownRows* known);
  // The service of the notes that follow.
  void set_service(std::string_view name);
  void note(std::int32_t day, AttributeScope scope, std::string_view key, AttributeType type);
  void note(std::int32_t day, AttributeScope scope, otlp::Attributes attributes);
  DictionaryBlock take();

 private:
  bool is_new(std::uint64_t fingerprint);
  void append(std::int32_t day, AttributeScope scope, std::string_view key, AttributeType type);

  const otlp::Signal signal_;
  const std::string tenant_;
  const KnownRows* const known_;
  std::string service_;
  std::uint64_t service_hash_ = 0;
  std::vector<std::uint64_t> seen_;  // Open addressing; 0 = free.
  std::size_t seen_count_ = 0;
  DictionaryBlock result_;
};

}  // namespace spanway::otlp_blocks
