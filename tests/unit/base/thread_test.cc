#include "services/lib/base/thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <string>

namespace spanway {
namespace {

TEST(StartThread, NamesTheThread) {
  std::string name;
  start_thread("a-name-longer-than-the-kernel-shows", [&name](const std::stop_token&) {
    char buffer[16];
    pthread_getname_np(pthread_self(), buffer, sizeof buffer);
    name = buffer;
  }).join();
  EXPECT_EQ(name, "a-name-longer-t");
}

TEST(StartThread, DestructionAsksToStopAndWaits) {
  bool ended = false;
  {
    const std::jthread thread = start_thread("stop", [&ended](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any wake;
      std::unique_lock lock(mutex);
      wake.wait(lock, stop, [] { return false; });
      ended = true;
    });
  }
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace spanway
