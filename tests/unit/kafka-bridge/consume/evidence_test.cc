#include "services/kafka-bridge/consume/evidence.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::kafka_bridge {
namespace {

const Stream kA{otlp::Signal::kTraces, "a"};
const Stream kB{otlp::Signal::kTraces, "b"};
const Stream kLogs{otlp::Signal::kLogs, "a"};
constexpr SteadyTime kEarly{};

TEST(EvidenceLedger, CountsAnAcceptanceOnlyForItsOwnSignalAndTenant) {
  EvidenceLedger ledger;
  const auto mark = ledger.now();
  ledger.accept(kB, ledger.send());
  ledger.accept(kLogs, ledger.send());
  EXPECT_FALSE(ledger.accepted_after(kA, mark));
  ledger.accept(kA, ledger.send());
  EXPECT_TRUE(ledger.accepted_after(kA, mark));
}

TEST(EvidenceLedger, WhatWasSentBeforeARefusalIsNoEvidenceAgainstIt) {
  EvidenceLedger ledger;
  const auto sent = ledger.send();
  ledger.refuse(kA, 1, true, false, kEarly);
  const auto refused = ledger.now();
  ledger.accept(kA, sent);
  EXPECT_FALSE(ledger.accepted_after(kA, refused));
  ledger.accept(kA, ledger.send());
  EXPECT_TRUE(ledger.accepted_after(kA, refused));
}

TEST(EvidenceLedger, ReportsWhetherOthersFailToo) {
  EvidenceLedger ledger;
  const auto begin = ledger.now();
  ledger.refuse(kA, 1, true, false, kEarly);
  ledger.refuse(kA, 1, false, false, kEarly);
  EXPECT_FALSE(ledger.others_refused_after(kA, 1, begin));
  EXPECT_TRUE(ledger.others_refused_after(kA, 2, begin));
  ledger.refuse(kA, 2, true, true, kEarly);
  EXPECT_FALSE(ledger.others_refused_after(kA, 1, begin)) << "its own fault is known";
  const auto later = ledger.now();
  ledger.refuse(kA, 3, true, false, kEarly);
  EXPECT_TRUE(ledger.others_refused_after(kA, 1, later));
  ledger.refuse(kA, 1, false, false, kEarly);
  EXPECT_TRUE(ledger.others_refused_after(kA, 1, later));
}

TEST(EvidenceLedger, FailsSinceTheFirstRefusalAfterAnAcceptance) {
  EvidenceLedger ledger;
  const SteadyTime t1 = kEarly + std::chrono::seconds(1);
  const SteadyTime t2 = kEarly + std::chrono::seconds(2);
  ledger.refuse(kA, 1, true, false, t1);
  ledger.refuse(kA, 2, true, false, t2);
  EXPECT_EQ(ledger.failing_since(kA), t1);
  ledger.accept(kA, ledger.send());
  EXPECT_FALSE(ledger.failing_since(kA).has_value());
  EXPECT_EQ(ledger.counts(kA).accepted, 1u);
  EXPECT_EQ(ledger.counts(kA).refused, 2u);
}

TEST(EvidenceLedger, GrantsOneUnprovenDeadLetterSinceTheLastAcceptance) {
  EvidenceLedger ledger;
  ledger.refuse(kA, 1, true, false, kEarly);
  EXPECT_TRUE(ledger.take_unproven(kA));
  EXPECT_FALSE(ledger.take_unproven(kA));
  EXPECT_FALSE(ledger.take_unproven(kLogs)) << "one for the destination, too";
  ledger.accept(kA, ledger.send());
  ledger.refuse(kB, 2, true, false, kEarly);
  EXPECT_FALSE(ledger.take_unproven(kA)) << "another stream fails as well";
  EXPECT_TRUE(ledger.take_unproven(kB)) << "nothing else fails";
}

TEST(EvidenceLedger, IsBoundedAndForgetsOnlyWhatDelaysADecision) {
  EvidenceLedger ledger;
  ledger.refuse(kA, 1, true, false, kEarly);
  for (std::size_t i = 0; i <= EvidenceLedger::kTenantsMax; ++i) {
    ledger.accept({otlp::Signal::kTraces, "tenant-" + std::to_string(i)}, ledger.send());
  }
  EXPECT_TRUE(ledger.failing_since(kA).has_value()) << "what fails is kept";
  EXPECT_FALSE(ledger.accepted_after({otlp::Signal::kTraces, "tenant-0"}, 0));
}

}  // namespace
}  // namespace spanway::kafka_bridge
