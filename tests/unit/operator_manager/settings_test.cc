#include "operator/manager/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/lib/config/load.h"

namespace spanway::manager {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string problems_of(const std::string& yaml, OperatorSettings& settings,
                        std::map<std::string, std::string> environment = {}) {
  environment.emplace("SPANWAY_IMAGE_REPOSITORY", "registry.example.com/spanway");
  const config::Sources sources{std::move(environment), nullptr, false};
  const auto report = config::load(
      yaml, "o.yaml", sources, [&](config::Binder& b) { describe(b, settings); },
      [&](config::Problems& problems) { validate(settings, problems); });
  return config::format(report.problems, "o.yaml");
}

TEST(OperatorSettings, DefaultsAreGood) {
  OperatorSettings settings;
  EXPECT_THAT(problems_of("", settings), IsEmpty());
  EXPECT_TRUE(settings.lease.enabled);
  EXPECT_EQ(settings.resync, std::chrono::minutes(10));
}

TEST(OperatorSettings, ReadsFileAndEnvironment) {
  OperatorSettings settings;
  EXPECT_THAT(problems_of("watch_namespaces: [a, b]\nlease: {name: x, namespace: y}\n", settings,
                          {{"SPANWAY_WORKERS", "7"}, {"SPANWAY_REQUEST_TIMEOUT", "9s"}}),
              IsEmpty());
  EXPECT_THAT(settings.watch_namespaces, testing::ElementsAre("a", "b"));
  EXPECT_EQ(settings.lease.name_space, "y");
  EXPECT_EQ(settings.workers, 7);
  EXPECT_EQ(settings.request_timeout, std::chrono::seconds(9));
}

TEST(OperatorSettings, RefusesWhatCannotWork) {
  OperatorSettings settings;
  EXPECT_THAT(problems_of("watch_namespaces: [a, a]", settings), HasSubstr("twice"));
  EXPECT_THAT(problems_of("watch_namespaces: [A_]", settings), HasSubstr("watch_namespaces"));
  EXPECT_THAT(problems_of("workers: 0", settings), HasSubstr("workers"));
  EXPECT_THAT(problems_of("statusz_poll: 60s", settings), HasSubstr("statusz_poll"));
  EXPECT_THAT(problems_of("lease: {name: \"\"}", settings), HasSubstr("lease.name"));
}

TEST(OperatorSettings, NeedsToKnowWhereTheImagesAre) {
  OperatorSettings settings;
  EXPECT_THAT(problems_of("image_repository: \"\"", settings, {{"SPANWAY_IMAGE_REPOSITORY", ""}}),
              HasSubstr("image_repository"));
}

}  // namespace
}  // namespace spanway::manager
