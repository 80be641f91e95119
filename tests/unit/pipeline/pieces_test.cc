#include "services/lib/pipeline/pieces.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "services/lib/pipeline/sink.h"

namespace spanway::pipeline {
namespace {

std::shared_ptr<const Bytes> piece(std::string_view text) {
  return std::make_shared<const Bytes>(text);
}

TEST(Pieces, JoinInTheirOrder) {
  Pieces pieces;
  EXPECT_EQ(pieces.size(), 0u);
  EXPECT_TRUE(pieces.join().empty());
  pieces.add(piece("ab"));
  pieces.add(nullptr);
  pieces.add(piece(""));
  pieces.add(piece("cde"));
  EXPECT_EQ(pieces.size(), 5u);
  EXPECT_EQ(pieces.all().size(), 2u) << "none without bytes";
  EXPECT_EQ(pieces.join().view(), "abcde");
}

TEST(Pieces, AreShared) {
  const auto kept = piece("kept");
  Pieces pieces;
  pieces.add(kept);
  Pieces copy = pieces;
  pieces = Pieces();
  EXPECT_EQ(copy.all().front(), kept) << "not a copy of the bytes";
  EXPECT_EQ(copy.size(), 4u);
}

TEST(Pieces, BecomeOneOnlyWhereTheyAreSeveral) {
  Pieces pieces;
  EXPECT_EQ(pieces.in_one(), "");
  const auto first = piece("first ");
  pieces.add(first);
  EXPECT_EQ(pieces.in_one().data(), first->data()) << "not a copy";
  Pieces more;
  more.add(piece("second "));
  more.add(piece("third"));
  pieces.add(more);
  EXPECT_EQ(pieces.in_one(), "first second third");
  EXPECT_EQ(pieces.all().size(), 1u);
  EXPECT_EQ(pieces.size(), 18u);
  EXPECT_EQ(more.all().size(), 2u);
}

class LastBatch final : public Sink {
 public:
  void send(Batch batch, AckToken token) noexcept override {
    last = std::move(batch);
    token.ack();
  }
  bool drain(Deadline) override { return true; }
  std::optional<Batch> last;
};

TEST(Sink, JoinsPiecesForWhoTakesThemInOne) {
  LastBatch sink;
  Batch batch;
  batch.item_count = 7;
  Pieces pieces;
  pieces.add(piece("one"));
  pieces.add(piece("two"));
  bool acked = false;
  sink.send_pieces(std::move(batch), std::move(pieces),
                   AckToken([&acked](const Result<Outcome>& result) { acked = result.ok(); }));
  ASSERT_TRUE(sink.last);
  EXPECT_EQ(sink.last->payload.view(), "onetwo");
  EXPECT_EQ(sink.last->item_count, 7u);
  EXPECT_TRUE(acked);
}

}  // namespace
}  // namespace spanway::pipeline
