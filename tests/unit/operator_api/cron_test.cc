#include "operator/api/cron.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::api {
namespace {

TEST(Cron, TakesWhatKubernetesTakes) {
  for (const char* good :
       {"17 * * * *", "0 0 1 1 0", "59 23 31 12 6", "*/5 * * * *", "0-30/10,45 8-18 * * mon-fri",
        "05 07 * * *", "0 0 1,15 JAN,jul SUN", "10/15 * * * *", "5-5 * * * *"})
    EXPECT_EQ(cron_problem(good), CronProblem::kNone) << good;
}

TEST(Cron, RefusesWhatKubernetesRefuses) {
  for (const char* bad : {"",
                          "*",
                          "* * * *",
                          "* * * * * *",
                          "60 * * * *",
                          "* 24 * * *",
                          "* * 0 * *",
                          "* * 32 * *",
                          "* * * 0 *",
                          "* * * 13 *",
                          "* * * * 7",
                          "99 * * * *",
                          "1- * * * *",
                          "-1 * * * *",
                          "*/0 * * * *",
                          "*/ * * * *",
                          "*/-1 * * * *",
                          "0 0 * FOO *",
                          "0 0 * * mon-",
                          ", * * * *",
                          "1,, * * * *",
                          "*-5 * * * *",
                          "  * * * *",
                          "* * * * * ",
                          "1/2/3 * * * *",
                          "jan * * * *",
                          "+1 * * * *",
                          "1-2-3 * * * *",
                          "@daily"})
    EXPECT_EQ(cron_problem(bad), CronProblem::kMalformed) << bad;
}

TEST(Cron, ARangeMustNotEndBeforeItBegins) {
  for (const char* bad : {"30-10 * * * *", "0 18-8 * * *", "0 0 * dec-jan *", "0 0 * * 1,fri-mon"})
    EXPECT_EQ(cron_problem(bad), CronProblem::kReversed) << bad;
  EXPECT_EQ(cron_problem("30-10 99 * * *"), CronProblem::kMalformed) << "the worse one";
}

TEST(Cron, TheExpressionOfTheApiServerIsTheKnownOne) {
  const std::string cel = kCronCel;
  EXPECT_TRUE(cel.starts_with("self.schedule.matches('(?i)^([*]|[0-5]?[0-9](-[0-5]?[0-9])?)"));
  EXPECT_TRUE(cel.ends_with("$')"));
  EXPECT_LT(cel.size(), 2000u);
}

}  // namespace
}  // namespace spanway::api
