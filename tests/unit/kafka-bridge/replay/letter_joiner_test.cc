#include "services/kafka-bridge/replay/letter_joiner.h"

#include <gtest/gtest.h>

#include "services/kafka-bridge/consume/dead_letter_parts.h"

namespace spanway::kafka_bridge {
namespace {

constexpr const char* kId = "0123456789abcdef";

kafka::StoredRecord part(std::int64_t offset, std::string_view letter, std::size_t begin,
                         std::size_t end, const std::string& id = kId) {
  kafka::StoredRecord record;
  record.offset = offset;
  record.value = letter.substr(begin, end - begin);
  record.headers = {{"spanway-error", "too deep"},
                    {"spanway-letter", id},
                    {"spanway-part", part_range(begin, end, letter.size())}};
  return record;
}

std::string id_of(std::size_t number) {
  std::string id = std::to_string(number);
  return std::string(16 - id.size(), '0') + id;
}

TEST(LetterJoiner, JoinsPartsInAnyOrderInThePlaceOfTheFirst) {
  LetterJoiner joiner;
  EXPECT_FALSE(joiner.add(part(7, "hello world", 6, 11)).value());
  EXPECT_EQ(joiner.open(), (std::vector<OpenLetter>{{kId, 7}}));
  const auto joined = joiner.add(part(9, "hello world", 0, 6)).value();
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->value, "hello world");
  EXPECT_EQ(joined->offset, 7);
  EXPECT_EQ(joined->header("spanway-error"), "too deep");
  EXPECT_TRUE(joiner.open().empty());
}

// A bridge that was killed between two parts writes them again, cut differently.
TEST(LetterJoiner, BytesThatAreThereAlreadyChangeNothing) {
  LetterJoiner joiner;
  EXPECT_FALSE(joiner.add(part(1, "hello world", 0, 4)).value());
  EXPECT_FALSE(joiner.add(part(2, "hello world", 0, 7)).value());
  EXPECT_FALSE(joiner.add(part(3, "hello world", 0, 4)).value());
  EXPECT_EQ(joiner.add(part(4, "hello world", 7, 11)).value()->value, "hello world");
}

TEST(LetterJoiner, KeepsLettersApart) {
  LetterJoiner joiner;
  EXPECT_FALSE(joiner.add(part(1, "first", 0, 3, id_of(1))).value());
  EXPECT_FALSE(joiner.add(part(2, "second", 0, 3, id_of(2))).value());
  EXPECT_EQ(joiner.add(part(3, "second", 3, 6, id_of(2))).value()->value, "second");
  EXPECT_EQ(joiner.add(part(4, "first", 3, 5, id_of(1))).value()->value, "first");
}

TEST(LetterJoiner, RefusesPartsThatContradict) {
  LetterJoiner joiner;
  const auto refuses = [&](const std::string& range, const std::string& id = kId) {
    kafka::StoredRecord record = part(1, "hello world", 0, 4, id);
    record.headers.back().second = range;
    return joiner.add(std::move(record));
  };
  for (const char* range : {"", "0-3", "0-3/", "0-3/3", "3-0/11", "0-4/11", "a-b/c", "0-3/11x",
                            "0-3/99999999999999999999", "0-3/70000000"})
    EXPECT_FALSE(refuses(range).ok()) << range;
  EXPECT_FALSE(refuses("0-3/11", "not hex").ok());
  EXPECT_TRUE(joiner.open().empty());
  EXPECT_TRUE(refuses("0-3/11").ok());
  EXPECT_FALSE(refuses("0-3/12").ok()) << "another size than the parts before";
}

TEST(LetterJoiner, GivesUpTheOldestAtItsBounds) {
  LetterJoiner joiner;
  for (std::size_t i = 0; i <= LetterJoiner::kLettersMax; ++i)
    EXPECT_TRUE(joiner.add(part(static_cast<std::int64_t>(i), "hello", 0, 1, id_of(i))).ok());
  EXPECT_EQ(joiner.take_given_up(), (std::vector<OpenLetter>{{id_of(0), 0}}));
  EXPECT_EQ(joiner.take_open().size(), LetterJoiner::kLettersMax);

  const std::string large(LetterJoiner::kBytesMax / 2 + 1, 'x');
  EXPECT_TRUE(joiner.add(part(100, large, 0, 1, id_of(1))).ok());
  EXPECT_TRUE(joiner.add(part(101, large, 0, 1, id_of(2))).ok());
  EXPECT_EQ(joiner.take_given_up(), (std::vector<OpenLetter>{{id_of(1), 100}}));
}

}  // namespace
}  // namespace spanway::kafka_bridge
