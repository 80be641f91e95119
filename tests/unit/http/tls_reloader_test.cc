#include "services/lib/http/tls_reloader.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/manual_executor.h"

namespace spanway::http {
namespace {

constexpr Duration kInterval = std::chrono::seconds(10);

TEST(TlsReloader, ReportsChangesAndFailuresOnly) {
  fakes::ManualClock clock;
  fakes::ManualExecutor executor(clock);
  Result<bool> next = false;
  int reloads = 0;
  std::vector<std::string> reports;
  const TlsReloader reloader(
      [&] {
        ++reloads;
        return next;
      },
      [&](const Result<bool>& changed) {
        reports.push_back(changed.ok() ? "changed" : changed.error().message);
      },
      executor, kInterval);
  const auto pass_interval = [&] {
    clock.advance(kInterval);
    executor.run();
  };
  executor.run();
  EXPECT_EQ(reloads, 0);
  pass_interval();
  EXPECT_EQ(reloads, 1);
  EXPECT_TRUE(reports.empty());
  next = true;
  pass_interval();
  next = unavailable("the disk is gone");
  pass_interval();
  EXPECT_EQ(reports, (std::vector<std::string>{"changed", "the disk is gone"}));
}

TEST(TlsReloader, EachReportIsOneLine) {
  std::vector<std::string> lines;
  const auto log = telemetry::Logger::create(
      {.write = [&lines](std::string_view line) { lines.emplace_back(line); }});
  log_tls_reload(log, "test.tls_reload", {"listener", "otlp"}, true);
  log_tls_reload(log, "test.tls_reload", {"listener", "otlp"}, false);
  log_tls_reload(log, "test.tls_reload", {"listener", "otlp"}, unavailable("no such file"));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("TLS files reloaded listener=otlp"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("TLS files cannot be reloaded; the previous ones stay in use "
                          "listener=otlp error=\"no such file\""),
            std::string::npos)
      << lines[1];
}

TEST(TlsReloader, ReportsTheFirstSuccessAfterAFailure) {
  fakes::ManualClock clock;
  fakes::ManualExecutor executor(clock);
  Result<bool> next = unavailable("the file is empty");
  std::vector<std::string> reports;
  const TlsReloader reloader([&] { return next; },
                             [&](const Result<bool>& changed) {
                               reports.push_back(!changed.ok() ? changed.error().message
                                                 : *changed    ? "changed"
                                                               : "as before");
                             },
                             executor, kInterval);
  for (int i = 0; i < 2; ++i) {
    clock.advance(kInterval);
    executor.run();
  }
  next = false;
  for (int i = 0; i < 2; ++i) {
    clock.advance(kInterval);
    executor.run();
  }
  EXPECT_EQ(reports,
            (std::vector<std::string>{"the file is empty", "the file is empty", "as before"}));
}

TEST(TlsReloader, ItsEndEndsTheReloads) {
  fakes::ManualClock clock;
  fakes::ManualExecutor executor(clock);
  int reloads = 0;
  std::optional<TlsReloader> reloader;
  reloader.emplace(
      [&]() -> Result<bool> {
        ++reloads;
        return true;
      },
      [](const Result<bool>&) {}, executor, kInterval);
  reloader.reset();
  clock.advance(kInterval);
  executor.run();
  EXPECT_EQ(reloads, 0);
}

}  // namespace
}  // namespace spanway::http
