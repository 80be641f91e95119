#include "services/lib/rpc/message_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace spanway::rpc {
namespace {

using http::ContentCoding;

class MessageReaderTest : public testing::Test {
 protected:
  MessageReader reader(ContentCoding coding = ContentCoding::kIdentity) {
    return MessageReader(coding, limits_, budget_.empty_permit());
  }
  static std::string framed(std::string_view message, bool compressed = false) {
    return std::string(frame_message(message, compressed).view());
  }
  static std::string encoded(ContentCoding coding, std::string_view message) {
    return framed(http::encode(coding, message).value().view(), true);
  }

  MessageLimits limits_{.message_bytes_max = 1 << 20, .compressed_bytes_max = 1 << 18};
  MemoryBudget budget_{32 << 20};
};

TEST_F(MessageReaderTest, ReadsAMessageHoweverItIsCut) {
  const std::string wire = framed("hello, spans");
  for (std::size_t chunk = 1; chunk <= wire.size(); ++chunk) {
    MessageReader r = reader();
    for (std::size_t i = 0; i < wire.size(); i += chunk) {
      ASSERT_TRUE(r.append(std::string_view(wire).substr(i, chunk)).ok());
    }
    ASSERT_TRUE(r.finish().ok());
    EXPECT_EQ(r.take_message().view(), "hello, spans");
    EXPECT_EQ(r.wire_bytes(), wire.size());
  }
}

TEST_F(MessageReaderTest, ThePermitFollowsTheBytesThatArrive) {
  const std::string message(100'000, 'x');
  const std::string wire = framed(message);
  MessageReader r = reader();
  ASSERT_TRUE(r.append(wire.substr(0, 5)).ok());
  EXPECT_EQ(budget_.used(), 0u);
  ASSERT_TRUE(r.append(wire.substr(5, 10)).ok());
  EXPECT_LT(budget_.used(), 100u);
  ASSERT_TRUE(r.append(wire.substr(15)).ok());
  ASSERT_TRUE(r.finish().ok());
  const Bytes read = r.take_message();
  EXPECT_EQ(read.view(), message);
  EXPECT_EQ(r.take_permit().bytes(), read.capacity());
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(MessageReaderTest, AnnouncementsTakeNothingFromOthers) {
  std::vector<MessageReader> announced;
  for (int i = 0; i < 100; ++i) {
    announced.push_back(reader());
    ASSERT_TRUE(announced.back().append(framed(std::string(1 << 20, 'x')).substr(0, 150)).ok());
  }
  EXPECT_LT(budget_.used(), 100 * 1024u);
  MessageReader good = reader();
  ASSERT_TRUE(good.append(framed(std::string(1 << 20, 'y'))).ok());
  EXPECT_TRUE(good.finish().ok());
}

TEST_F(MessageReaderTest, ALongMessageInSmallPiecesIsCoveredWhileItsBufferGrows) {
  limits_.message_bytes_max = 8 << 20;
  const std::string wire = framed(std::string(8 << 20, 'x'));
  MessageReader r = reader();
  for (std::size_t i = 0; i < wire.size(); i += 10'000)
    ASSERT_TRUE(r.append(std::string_view(wire).substr(i, 10'000)).ok());
  ASSERT_TRUE(r.finish().ok());
  EXPECT_EQ(r.take_message().size(), 8u << 20);
  EXPECT_LE(budget_.peak(), 16u << 20);
}

TEST_F(MessageReaderTest, RefusesTransientlyWhenTheBudgetIsUsedUp) {
  const Permit taken = budget_.try_acquire((32 << 20) - 10).value();
  MessageReader r = reader();
  const Status status = r.append(framed(std::string(11, 'x')));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(status.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(status.error().retry_after.has_value());
  EXPECT_STREQ(status.error().reason, "no_memory");
}

TEST_F(MessageReaderTest, RefusesADeclaredLengthAboveTheLimitAtThePrefix) {
  MessageReader r = reader();
  const Status status = r.append(std::string_view("\0\x00\x10\x00\x01", 5));  // 1 MiB + 1.
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(status.error().refusal, Refusal::kData);
  EXPECT_STREQ(status.error().reason, "message_too_large");
  EXPECT_EQ(budget_.peak(), 0u);
}

TEST_F(MessageReaderTest, HasALowerLimitForCompressedMessages) {
  MessageReader r = reader(ContentCoding::kGzip);
  const Status status = r.append(std::string_view("\1\x00\x04\x00\x01", 5));  // 256 KiB + 1.
  ASSERT_FALSE(status.ok());
  EXPECT_STREQ(status.error().reason, "message_too_large");
}

TEST_F(MessageReaderTest, TakesAMessageOfExactlyTheLimit) {
  MessageReader r = reader();
  ASSERT_TRUE(r.append(framed(std::string(1 << 20, 'x'))).ok());
  EXPECT_TRUE(r.finish().ok());
}

TEST_F(MessageReaderTest, RefusesUnknownFlags) {
  for (int flag = 2; flag < 256; ++flag) {
    std::string wire = framed("abc");
    wire[0] = static_cast<char>(flag);
    MessageReader r = reader(ContentCoding::kGzip);
    const Status status = r.append(wire);
    ASSERT_FALSE(status.ok()) << flag;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
    EXPECT_EQ(status.error().refusal, Refusal::kData);
  }
}

TEST_F(MessageReaderTest, RefusesACompressedFlagWithoutAnEncoding) {
  MessageReader r = reader();
  const Status status = r.append(framed("abc", true));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kInternal) << "as gRPC's document of compression has it";
}

TEST_F(MessageReaderTest, TakesAnUncompressedMessageThoughAnEncodingIsNamed) {
  MessageReader r = reader(ContentCoding::kGzip);
  ASSERT_TRUE(r.append(framed("plain")).ok());
  ASSERT_TRUE(r.finish().ok());
  EXPECT_EQ(r.take_message().view(), "plain");
}

TEST_F(MessageReaderTest, RefusesNoMessageAndTwo) {
  MessageReader none = reader();
  EXPECT_EQ(none.finish().error().code, Code::kUnimplemented);
  MessageReader two = reader();
  const Status status = two.append(framed("one") + framed("two"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kUnimplemented);
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(MessageReaderTest, RefusesATruncatedMessageAtEveryByte) {
  const std::string wire = framed("hello");
  for (std::size_t size = 1; size < wire.size(); ++size) {
    MessageReader r = reader();
    ASSERT_TRUE(r.append(wire.substr(0, size)).ok());
    const Status status = r.finish();
    ASSERT_FALSE(status.ok()) << size;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
    EXPECT_EQ(budget_.used(), 0u);
  }
}

TEST_F(MessageReaderTest, DecodesGzipAndZstdInPieces) {
  std::string message;
  for (int i = 0; i < 20'000; ++i) message += "span " + std::to_string(i * 7919) + ";";
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kZstd}) {
    const std::string wire = encoded(coding, message);
    MessageReader r = reader(coding);
    for (std::size_t i = 0; i < wire.size(); i += 1000) {
      ASSERT_TRUE(r.append(std::string_view(wire).substr(i, 1000)).ok());
    }
    ASSERT_TRUE(r.finish().ok());
    const Bytes read = r.take_message();
    const Permit permit = r.take_permit();
    EXPECT_EQ(read.view(), message);
    EXPECT_GE(permit.bytes(), read.size());
  }
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(MessageReaderTest, StopsADecompressedMessageAtTheLimit) {
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kZstd}) {
    MessageReader r = reader(coding);
    const Status status = r.append(encoded(coding, std::string((1 << 20) + 1, 'x')));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, Code::kResourceExhausted);
    EXPECT_EQ(status.error().refusal, Refusal::kData);
    EXPECT_STREQ(status.error().reason, "message_too_large");
    EXPECT_EQ(budget_.used(), 0u);
  }
  // The message, and the window of zstd.
  EXPECT_LE(budget_.peak(), std::size_t{16} << 20);
}

TEST_F(MessageReaderTest, AsksTheBudgetBeforeADecompressedMessageGrows) {
  const Permit taken = budget_.try_acquire((32 << 20) - 100'000).value();
  MessageReader r = reader(ContentCoding::kGzip);
  const Status status = r.append(encoded(ContentCoding::kGzip, std::string(500'000, 'x')));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(status.error().reason, "no_memory");
  EXPECT_TRUE(status.error().retry_after.has_value());
}

TEST_F(MessageReaderTest, RefusesACorruptOrUnfinishedCompressedMessage) {
  MessageReader corrupt = reader(ContentCoding::kGzip);
  Status status = corrupt.append(framed("this is not gzip at all, is it?", true));
  if (status.ok()) status = corrupt.finish();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  EXPECT_STREQ(status.error().reason, "message_corrupt");

  const Bytes complete = http::encode(ContentCoding::kGzip, "some text to compress").value();
  MessageReader cut = reader(ContentCoding::kGzip);
  status = cut.append(framed(complete.view().substr(0, complete.size() - 4), true));
  if (status.ok()) status = cut.finish();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace spanway::rpc
