#include "services/kafka-bridge/replay/replay_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_file_ops.h"

namespace spanway::kafka_bridge {
namespace {

using ::testing::HasSubstr;

ReplayState some_state() {
  return {.request = "otel.traces.dlq from='' to='' destination=127.0.0.1:4337",
          .saved_ms = 1'767'225'600'000,
          .left = {{0, {17, 40}}, {3, {0, 9}}},
          .open = {{"0123456789abcdef", 12}},
          .counts = {1, 2, 3, 4, 5, 6},
          .refused = {"0:3", "0:5"}};
}

TEST(ReplayState, ReadsBackWhatItWrote) {
  EXPECT_EQ(parse_replay_state(to_text(some_state())).value(), some_state());
  EXPECT_EQ(parse_replay_state(to_text(ReplayState())).value(), ReplayState());
}

TEST(ReplayState, RefusesWhatIsNoStateOrNotAllOfOne) {
  const std::string text = to_text(some_state());
  for (std::size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_FALSE(parse_replay_state(text.substr(0, size)).ok()) << size;
  EXPECT_FALSE(parse_replay_state("topic: otel.traces\n").ok());
  const auto damaged = parse_replay_state("spanway-replay 1\nleft zero 1 2\nend\n");
  ASSERT_FALSE(damaged.ok());
  EXPECT_THAT(damaged.error().message, HasSubstr("left zero 1 2"));
}

TEST(ReplayState, ReplacesTheFileAtOnce) {
  fakes::FakeFileOps files;
  files.put("s.new", "left behind by a kill");
  ASSERT_TRUE(save_replay_state(files, "s", some_state()).ok());
  EXPECT_EQ(files.content("s"), to_text(some_state()));
  EXPECT_FALSE(files.content("s.new"));
}

TEST(ReplayState, KeepsTheOldFileWhateverFails) {
  const auto keeps = [](auto break_it) {
    fakes::FakeFileOps files;
    files.put("s", "old");
    break_it(files);
    const Status saved = save_replay_state(files, "s", some_state());
    EXPECT_FALSE(saved.ok());
    EXPECT_EQ(files.content("s"), "old");
  };
  keeps([](auto& files) { files.fail_open(EACCES); });
  keeps([](auto& files) { files.fail_write(EIO); });
  keeps([](auto& files) { files.limit_space(20); });
  keeps([](auto& files) { files.fail_sync(EIO); });
  keeps([](auto& files) { files.fail_rename(EROFS); });
}

}  // namespace
}  // namespace spanway::kafka_bridge
