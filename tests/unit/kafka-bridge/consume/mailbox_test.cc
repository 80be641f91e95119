#include "services/kafka-bridge/consume/mailbox.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/fakes/manual_executor.h"

namespace spanway::kafka_bridge {
namespace {

TEST(Mailbox, PassesOnUntilItIsClosed) {
  fakes::ManualClock clock;
  int runs = 0;
  std::optional<Mailbox> mailbox;
  {
    fakes::ManualExecutor executor(clock);
    mailbox.emplace(executor);
    mailbox->post([&runs] { ++runs; });
    executor.run();
    EXPECT_EQ(runs, 1);
    mailbox->close();
  }
  mailbox->post([&runs] { ++runs; });  // The executor has gone.
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace spanway::kafka_bridge
