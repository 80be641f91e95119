#include "services/kafka-bridge/consume/commit_note.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "services/lib/base/random.h"

namespace spanway::kafka_bridge {
namespace {

TEST(CommitNote, ComesBackAsItWasWritten) {
  const OpenRange::Parts parts{{{"", 40, {{0, 5}, {10, 1}}}, {"a]/+x", 7, {{3, 4}}}}, {1200, 1300}};
  const CommitNote note{5000,
                        {{{1000, 1000}, {}}, {{1200, 1300}, parts}, {{1250, 1250}, {{{}, {1250}}}}},
                        {{"acme", 1100}, {"", 2000}, {"a;b,c@9", 1001}},
                        {{{1100, 1120}, parts.batches[1]}, {{1105, 1105}, parts.batches[0]}}};
  const std::string text = encode_commit_note(note, 1000);
  EXPECT_EQ(parse_commit_note(text, 1000), note);
  EXPECT_EQ(encode_commit_note({1000, {}, {}, {}}, 1000), "");
  EXPECT_EQ(parse_commit_note("", 1000), (CommitNote{1000, {}, {}, {}}));
}

TEST(CommitNote, ReadsThePlansOfTheFirstVersion) {
  EXPECT_EQ(parse_commit_note("spanway1:12,15", 10),
            (CommitNote{16, {{{10, 12}, {}}, {{13, 15}, {}}}, {}, {}}));
}

TEST(CommitNote, RefusesWhatIsNotOurs) {
  for (const char* text :
       {"foreign", "spanway2:", "spanway2:x", "spanway2:5,3-2", "spanway2:5,3", "spanway2:5,0-9",
        "spanway2:9,3-4,2-5", "spanway2:5;4:ab@1", "spanway2:5;2:ab", "spanway2:5;2:ab@-1",
        "spanway2:5 ",
        // Parts of a range.
        "spanway2:5,0-2[", "spanway2:5,0-2[!3]", "spanway2:5,0-2[/0:#4]",
        "spanway2:5,0-2[/0:#4+4x1]", "spanway2:5,0-2[/0:#4+1x0]", "spanway2:5,0-2[/0:#4+2x1+1x1]",
        "spanway2:5&0-2", "spanway2:5&0-5/0:#4+0x1", "spanway2:5,0-2[/0:#4+1x4]"}) {
    EXPECT_FALSE(parse_commit_note(text, 0)) << text;
  }
  EXPECT_FALSE(parse_commit_note("spanway2:9223372036854775807", 10));
}

TEST(CommitNote, NeverFailsOnRandomBytes) {
  Random random(7);
  const std::string alphabet = "spanway2:,-;@0123456789[]/#+x!&";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = "spanway2:";
    for (std::uint64_t n = random.next_below(20); n > 0; --n) {
      text += alphabet[random.next_below(alphabet.size())];
    }
    const auto note = parse_commit_note(text, 3);
    if (note && !encode_commit_note(*note, 3).empty()) {
      EXPECT_EQ(parse_commit_note(encode_commit_note(*note, 3), 3), note) << text;
    }
  }
}

}  // namespace
}  // namespace spanway::kafka_bridge
