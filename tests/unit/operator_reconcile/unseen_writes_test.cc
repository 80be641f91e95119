#include "operator/reconcile/unseen_writes.h"

#include <gtest/gtest.h>

#include "operator/k8s/resource.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::reconcile {
namespace {

const kube::ObjectKey kKey{"a", "x"};

Json version(const char* v) { return {{"metadata", {{"resourceVersion", v}}}}; }

class UnseenWritesTest : public testing::Test {
 protected:
  std::string newest(std::optional<Json> stored) {
    const auto found = unseen_.newest(kube::kServices, kKey, std::move(stored));
    return found ? kube::string_at(*found, "metadata/resourceVersion") : "none";
  }
  void wrote(std::optional<Json> seen, std::optional<Json> after) {
    unseen_.wrote(kube::kServices, kKey, seen, std::move(after));
  }
  fakes::ManualClock clock_;
  UnseenWrites unseen_{clock_};
};

TEST_F(UnseenWritesTest, OursIsNewerUntilTheStoreMoves) {
  wrote(version("1"), version("2"));
  EXPECT_EQ(newest(version("1")), "2");
  EXPECT_EQ(newest(version("1")), "2");
  EXPECT_EQ(newest(version("3")), "3");
  EXPECT_EQ(newest(version("1")), "1");
  EXPECT_EQ(unseen_.size(), 0u);
}

TEST_F(UnseenWritesTest, CoversCreationAndDeletion) {
  wrote(std::nullopt, version("2"));
  EXPECT_EQ(newest(std::nullopt), "2");
  EXPECT_EQ(newest(version("2")), "2");
  wrote(version("2"), std::nullopt);
  EXPECT_EQ(newest(version("2")), "none");
}

TEST_F(UnseenWritesTest, SeveralWritesOnOneSight) {
  wrote(version("1"), version("2"));
  wrote(version("1"), version("3"));
  EXPECT_EQ(newest(version("1")), "3");
  EXPECT_EQ(newest(version("3")), "3");
}

TEST_F(UnseenWritesTest, TheVersionsAreThoseOfTheObjects) {
  const auto newest_version = [this](const char* stored) {
    return unseen_.newest_version(kube::kServices, kKey, stored);
  };
  EXPECT_EQ(newest_version("1"), "1");
  EXPECT_EQ(newest_version(""), "");
  wrote(version("1"), version("2"));
  EXPECT_EQ(newest_version("1"), "2");
  EXPECT_EQ(newest(version("1")), "2");
  EXPECT_EQ(newest_version("3"), "3");
  EXPECT_EQ(unseen_.size(), 0u);
  wrote(version("3"), std::nullopt);
  EXPECT_EQ(newest_version("3"), "") << "deleted";
  clock_.advance(std::chrono::seconds(31));
  EXPECT_EQ(newest_version("3"), "3") << "it has not gone";
}

TEST_F(UnseenWritesTest, BelievesTheStoreAfterAWhile) {
  wrote(version("1"), version("2"));
  clock_.advance(std::chrono::seconds(31));
  EXPECT_EQ(newest(version("1")), "1");
}

TEST_F(UnseenWritesTest, DropsWhatNobodyAsksFor) {
  wrote(version("1"), version("2"));
  clock_.advance(std::chrono::seconds(31));
  unseen_.wrote(kube::kServices, {"a", "y"}, version("1"), version("2"));
  EXPECT_EQ(unseen_.size(), 1u);
}

TEST_F(UnseenWritesTest, AWriteThatChangedNothingIsNotKept) {
  wrote(version("1"), version("1"));
  EXPECT_EQ(unseen_.size(), 0u);
}

}  // namespace
}  // namespace spanway::reconcile
