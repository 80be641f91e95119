#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Pipeline pipeline() {
  config::Problems problems;
  Pipeline p = read(documents(pipeline_yaml()).front(), problems);
  EXPECT_TRUE(problems.empty());
  return p;
}

std::vector<std::string> problems_of_change(const Pipeline& before, const Pipeline& after) {
  config::Problems problems;
  check_transition(before, after, problems);
  return texts(problems);
}

TEST(Transition, NothingChangedIsFine) {
  EXPECT_THAT(problems_of_change(pipeline(), pipeline()), IsEmpty());
}

TEST(Transition, PartitionsGrow) {
  Pipeline after = pipeline();
  after.spec.kafka.topics.partitions += 1;
  EXPECT_THAT(problems_of_change(pipeline(), after), IsEmpty());
  EXPECT_THAT(problems_of_change(after, pipeline()),
              ElementsAre("spec.kafka.topics.partitions: can only grow: Kafka cannot "
                          "remove partitions"));
}

TEST(Transition, AllMistakesAreReportedAtOnce) {
  Pipeline after = pipeline();
  after.spec.kafka.topics.traces = "other.traces";
  after.spec.kafka.topics.dead_letter_suffix = ".dead";
  EXPECT_EQ(problems_of_change(pipeline(), after).size(), 2u);
}

TEST(Transition, ExportersComeAndGo) {
  Pipeline after = pipeline();
  after.spec.exporters.front().name = "other";
  EXPECT_THAT(problems_of_change(pipeline(), after), IsEmpty());
}

}  // namespace
}  // namespace spanway::api
