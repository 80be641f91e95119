#include "services/lib/otlp_blocks/attribute_keys.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "services/lib/block/dictionary_column.h"

namespace spanway::otlp_blocks {
namespace {

struct Known final : KnownRows {
  bool contains(std::uint64_t identity) const override { return identities.contains(identity); }
  std::set<std::uint64_t> identities;
};

TEST(AttributeKeys, EachCombinationIsOneRow) {
  AttributeKeys keys(otlp::Signal::kTraces, "tenant", nullptr);
  keys.set_service("shop");
  for (int round = 0; round < 3; ++round) {
    keys.note(1, AttributeScope::kItem, "a", AttributeType::kText);
    keys.note(1, AttributeScope::kItem, "a", AttributeType::kInteger);
    keys.note(2, AttributeScope::kItem, "a", AttributeType::kText);
    keys.note(1, AttributeScope::kEvent, "a", AttributeType::kText);
    keys.note(1, AttributeScope::kItem, "b", AttributeType::kText);
  }
  keys.set_service("cart");
  keys.note(1, AttributeScope::kItem, "a", AttributeType::kText);
  DictionaryBlock rows = keys.take();
  EXPECT_EQ(rows.rows.rows(), 6u);
  EXPECT_TRUE(rows.rows.check().ok());
  EXPECT_EQ(std::set(rows.identities.begin(), rows.identities.end()).size(), 6u);
  EXPECT_EQ(rows.rows.get<block::DictionaryColumn>("service_name").at(5), "cart");
}

TEST(AttributeKeys, WhatIsKnownIsLeftOut) {
  Known known;
  for (int round = 0; round < 2; ++round) {
    AttributeKeys keys(otlp::Signal::kLogs, "tenant", &known);
    keys.note(1, AttributeScope::kItem, "a", AttributeType::kText);
    const DictionaryBlock rows = keys.take();
    EXPECT_EQ(rows.rows.rows(), round == 0 ? 1u : 0u);
    known.identities.insert(rows.identities.begin(), rows.identities.end());
  }
  AttributeKeys other(otlp::Signal::kLogs, "another tenant", &known);
  other.note(1, AttributeScope::kItem, "a", AttributeType::kText);
  EXPECT_EQ(other.take().rows.rows(), 1u);
}

TEST(AttributeKeys, ARequestCannotBringAnyNumber) {
  AttributeKeys keys(otlp::Signal::kTraces, "", nullptr);
  for (int i = 0; i < 10'000; ++i)
    keys.note(1, AttributeScope::kItem, "key " + std::to_string(i), AttributeType::kText);
  EXPECT_EQ(keys.take().rows.rows(), AttributeKeys::kKeysMax);
}

}  // namespace
}  // namespace spanway::otlp_blocks
