#include <gtest/gtest.h>

#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

// Log records without anything in them: two bytes each, and an index entry.
Bytes empty_records(std::size_t count) {
  Bytes bytes;
  wire::Writer writer(bytes);
  const auto resource = writer.begin(1);
  const auto scope = writer.begin(2);
  for (std::size_t i = 0; i < count; ++i) writer.bytes(2, "");
  writer.end(scope);
  writer.end(resource);
  return bytes;
}

constexpr std::size_t kMany = 500'000;

TEST(ScanMemory, AnOrdinaryIndexAsksForNothing) {
  MemoryBudget budget(0);
  Permit permit = budget.empty_permit();
  Scanner scanner;
  const Bytes request = empty_records(10'000);
  EXPECT_TRUE(scanner.scan(Signal::kLogs, request.view(), &permit).ok());
  EXPECT_EQ(scanner.index().accepted, 10'000u);
}

TEST(ScanMemory, TheIndexOfManySmallItemsIsChargedAndGivenBack) {
  MemoryBudget budget(64u << 20);
  Permit permit = budget.empty_permit();
  Scanner scanner;
  const Bytes request = empty_records(kMany);
  ASSERT_TRUE(scanner.scan(Signal::kLogs, request.view(), &permit).ok());
  EXPECT_EQ(scanner.index().accepted, kMany);
  EXPECT_GE(permit.bytes() + kOwnIndexBytes, scanner.index().items.capacity() * sizeof(Item));
  EXPECT_GT(budget.peak(), permit.bytes()) << "both vectors while one is moved to the other";
  scanner.release_excess();
  EXPECT_LE(scanner.index().items.capacity() * sizeof(Item), kOwnIndexBytes);
  EXPECT_TRUE(scanner.index().items.empty());
}

TEST(ScanMemory, WithoutMemoryTheRequestIsRefusedForNow) {
  MemoryBudget budget(64u << 20);
  const Permit others = *budget.try_acquire(60u << 20);
  Permit permit = budget.empty_permit();
  Scanner scanner;
  const Bytes request = empty_records(kMany);
  const Status status = scanner.scan(Signal::kLogs, request.view(), &permit);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(status.error().reason, "no_memory");
  EXPECT_TRUE(scanner.index().items.empty());
}

TEST(ScanMemory, WhatCanNeverBeIndexedIsRefusedForGood) {
  MemoryBudget budget(2u << 20);
  Permit permit = budget.empty_permit();
  Scanner scanner;
  const Bytes request = empty_records(kMany);
  const Status status = scanner.scan(Signal::kLogs, request.view(), &permit);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kData);
  EXPECT_STREQ(status.error().reason, "index_too_large");
  // The scanner is good for the next one.
  const Bytes small = empty_records(10);
  EXPECT_TRUE(scanner.scan(Signal::kLogs, small.view(), &permit).ok());
}

TEST(ScanMemory, EveryKindOfEntryIsCharged) {
  MemoryBudget budget(1u << 20);
  const auto refused = [&](std::string_view request) {
    Permit permit = budget.empty_permit();
    const Status status = Scanner().scan(Signal::kTraces, request, &permit);
    return !status.ok() && std::string_view(status.error().reason) == "index_too_large";
  };
  Bytes resources, scopes, prefixes, scope_prefixes;
  wire::Writer r(resources), s(scopes), p(prefixes), sp(scope_prefixes);
  for (std::size_t i = 0; i < kMany; ++i) r.bytes(1, "");
  const auto resource = s.begin(1);
  for (std::size_t i = 0; i < kMany; ++i) s.bytes(2, "");
  s.end(resource);
  const auto other = p.begin(1);
  for (std::size_t i = 0; i < kMany; ++i) p.bytes(50, "");
  p.end(other);
  const auto third = sp.begin(1);
  const auto scope = sp.begin(2);
  for (std::size_t i = 0; i < kMany; ++i) sp.bytes(50, "");
  sp.end(scope);
  sp.end(third);
  EXPECT_TRUE(refused(resources.view()));
  EXPECT_TRUE(refused(scopes.view()));
  EXPECT_TRUE(refused(prefixes.view()));
  EXPECT_TRUE(refused(scope_prefixes.view()));
}

}  // namespace
}  // namespace spanway::otlp
