#include "services/lib/runtime/signal_watcher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <semaphore>

namespace spanway::runtime {
namespace {

TEST(SignalWatcher, DistinguishesTheFirstSignalFromFurtherOnes) {
  block_signals();
  std::binary_semaphore first{0};
  std::binary_semaphore further{0};
  std::binary_semaphore hang_up{0};
  std::string first_name, further_name;
  auto watcher = SignalWatcher::create({.stop =
                                            [&](const char* name) {
                                              first_name = name;
                                              first.release();
                                            },
                                        .stop_again =
                                            [&](const char* name) {
                                              further_name = name;
                                              further.release();
                                            },
                                        .hang_up = [&] { hang_up.release(); }});
  ASSERT_TRUE(watcher.ok());
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  ASSERT_TRUE(hang_up.try_acquire_for(std::chrono::seconds(20)));
  ASSERT_EQ(kill(getpid(), SIGINT), 0);
  ASSERT_TRUE(first.try_acquire_for(std::chrono::seconds(20)));
  EXPECT_EQ(first_name, "SIGINT");
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  ASSERT_TRUE(further.try_acquire_for(std::chrono::seconds(20)));
  EXPECT_EQ(further_name, "SIGTERM");
}

TEST(SignalWatcher, EndsWithoutASignal) {
  block_signals();
  auto watcher = SignalWatcher::create({.stop = [](const char*) { ADD_FAILURE(); },
                                        .stop_again = [](const char*) { ADD_FAILURE(); },
                                        .hang_up = [] { ADD_FAILURE(); }});
  EXPECT_TRUE(watcher.ok());
}

TEST(BlockSignals, IgnoresBrokenPipes) {
  block_signals();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  close(pipe_ends[0]);
  EXPECT_EQ(write(pipe_ends[1], "x", 1), -1);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace spanway::runtime
