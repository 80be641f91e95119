#include "services/lib/otlp_blocks/identity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spanway::otlp_blocks {
namespace {

otlp::AttributeView text(std::string_view key, std::string_view value) {
  otlp::AttributeView attribute{.key = key, .value = {}};
  attribute.value.kind = otlp::ValueKind::kString;
  attribute.value.text = value;
  return attribute;
}
std::uint64_t id_of(const std::vector<otlp::AttributeView>& attributes,
                    std::string_view schema_url = "") {
  return resource_id(
      {.attributes = attributes, .dropped_attributes_count = 0, .schema_url = schema_url});
}

TEST(Identity, HashesAsTheReferenceImplementation) {
  EXPECT_EQ(murmur3(""), (Hash128{.low = 0, .high = 0}));
  EXPECT_EQ(murmur3("hello"),
            (Hash128{.low = 0xcbd8a7b341bd9b02ULL, .high = 0x5b1e906a48ae1d19ULL}));
  EXPECT_EQ(murmur3("The quick brown fox jumps over the lazy dog"),
            (Hash128{.low = 0xe34bbc7bbc071b6cULL, .high = 0x7a433ca9c49a9347ULL}));
}

TEST(Identity, TheOrderOfAttributesIsNoContent) {
  EXPECT_EQ(id_of({text("a", "1"), text("b", "2")}), id_of({text("b", "2"), text("a", "1")}));
}

TEST(Identity, EverythingElseIs) {
  const std::uint64_t id = id_of({text("a", "1")});
  EXPECT_NE(id, id_of({text("a", "2")}));
  EXPECT_NE(id, id_of({text("a1", "")}));
  EXPECT_NE(id, id_of({text("", "a1")}));
  EXPECT_NE(id, id_of({text("a", "1"), text("b", "")}));
  EXPECT_NE(id, id_of({text("a", "1")}, "https://schema"));
  otlp::AttributeView bytes = text("a", "1");
  bytes.value.kind = otlp::ValueKind::kBytes;
  EXPECT_NE(id, id_of({bytes}));
}

// Stored rows refer to resources by this number: it is the same in every version.
TEST(Identity, IsTheSameInEveryVersion) {
  EXPECT_EQ(id_of({text("service.name", "shop")}, "https://opentelemetry.io/schemas/1.30.0"),
            0x1b956bb42dd462dcULL);
}

}  // namespace
}  // namespace spanway::otlp_blocks
