#include "operator/cache/reflector_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>

#include "tests/fakes/eventually.h"

namespace spanway::kube {
namespace {

using fakes::eventually;
using std::chrono::hours;

std::size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

// Lists are answered at once, watches stay open until the test ends them. Thread-safe.
class HeldWatches final : public Client {
 public:
  Result<ListResult> list(const ResourceType&, const ListOptions& options) override {
    ++lists;
    if (lists_fail) return unavailable("cannot list").with_retry_after(hours(1));
    ListResult result;
    result.resource_version = "7";
    result.items.push_back({{"metadata",
                             {{"name", "a"},
                              {"namespace", options.name_space},
                              {"uid", "u"},
                              {"resourceVersion", "1"}}}});
    return result;
  }
  std::unique_ptr<RunningWatch> start_watch(const ResourceType&, const WatchOptions& options,
                                            WatchCallbacks callbacks) override {
    MutexLock lock(mutex_);
    open_[options.name_space] = std::move(callbacks);
    ++started;
    return std::make_unique<OpenWatch>(*this, options.name_space);
  }
  void end(const std::string& name_space, Status status) {
    WatchCallbacks callbacks;
    {
      MutexLock lock(mutex_);
      const auto found = open_.find(name_space);
      if (found == open_.end()) return;
      callbacks = std::move(found->second);
      open_.erase(found);
    }
    callbacks.on_end(std::move(status));
  }
  std::size_t open() {
    MutexLock lock(mutex_);
    return open_.size();
  }

  Result<Json> get(const ResourceType&, const ObjectKey&) override { return unavailable(""); }
  Status watch(const ResourceType&, const WatchOptions&, const std::stop_token&,
               const std::function<bool(WatchEvent)>&) override {
    return unavailable("");
  }
  Result<Json> apply(const ResourceType&, const Json&, const ApplyOptions&,
                     std::string_view) override {
    return unavailable("");
  }
  Result<Json> create(const ResourceType&, const Json&) override { return unavailable(""); }
  Result<Json> replace(const ResourceType&, const Json&, std::string_view) override {
    return unavailable("");
  }
  Result<Json> merge_patch(const ResourceType&, const ObjectKey&, const Json&,
                           std::string_view) override {
    return unavailable("");
  }
  Status remove(const ResourceType&, const ObjectKey&, const std::string&) override { return {}; }
  Result<bool> serves(const ResourceType&) override { return true; }

  std::atomic<bool> lists_fail{false};
  std::atomic<int> lists{0};
  std::atomic<int> started{0};

 private:
  struct OpenWatch final : RunningWatch {
    OpenWatch(HeldWatches& all, std::string which) : client(all), name_space(std::move(which)) {}
    void cancel() override { client.end(name_space, transient_error(Code::kCancelled, "stopped")); }
    HeldWatches& client;
    const std::string name_space;
  };
  Mutex mutex_;
  std::map<std::string, WatchCallbacks> open_ SPANWAY_GUARDED_BY(mutex_);
};

class ReflectorPoolTest : public testing::Test {
 protected:
  void start(std::size_t reflectors) {
    for (std::size_t i = 0; i < reflectors; ++i) {
      stores_.push_back(std::make_unique<Store>(without_bookkeeping));
      pool_.add(std::make_unique<Reflector>(
          ReflectorOptions{
              .type = kPods, .name_space = "ns" + std::to_string(i), .label_selector = {}},
          client_, *stores_.back(), [](const ObjectKey&) {}, system_clock(), Random(i),
          telemetry_));
    }
    pool_.start();
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  HeldWatches client_;
  std::vector<std::unique_ptr<Store>> stores_;
  ReflectorPool pool_{3, system_clock()};
};

TEST_F(ReflectorPoolTest, ManyReflectorsShareAFewThreads) {
  const std::size_t before = threads_of_process();
  start(1000);
  ASSERT_TRUE(eventually([&] { return client_.open() == 1000; }));
  EXPECT_TRUE(pool_.synced());
  EXPECT_EQ(client_.lists, 1000);
  EXPECT_LE(threads_of_process(), before + 3);
  EXPECT_EQ(metrics_.value("spanway_kubernetes_cache_objects", {{"resource", "pods"}}), 1000)
      << "of all namespaces";
}

TEST_F(ReflectorPoolTest, AWatchThatHasEndedIsFollowedByTheNext) {
  start(2);
  ASSERT_TRUE(eventually([&] { return client_.open() == 2; }));
  client_.end("ns0", transient_error(Code::kOutOfRange, "expired"));
  EXPECT_TRUE(eventually([&] { return client_.started == 3; }));
  EXPECT_EQ(client_.lists, 3) << "an expired version lists again";
}

TEST_F(ReflectorPoolTest, StopEndsWatchesAndWaits) {
  start(5);
  ASSERT_TRUE(eventually([&] { return client_.open() == 5; }));
  pool_.stop();
  EXPECT_EQ(client_.open(), 0u);
  EXPECT_EQ(client_.started, 5);
  pool_.stop();
}

TEST_F(ReflectorPoolTest, StopDoesNotWaitForABackOff) {
  client_.lists_fail = true;
  start(2);
  ASSERT_TRUE(eventually([&] { return client_.lists == 2; }));
  pool_.stop();
  EXPECT_FALSE(pool_.synced());
}

}  // namespace
}  // namespace spanway::kube
