#include "services/lib/rpc/grpc_wire.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace spanway::rpc {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(GrpcTimeout, TakesEveryUnit) {
  EXPECT_EQ(parse_timeout("2H").value(), hours(2));
  EXPECT_EQ(parse_timeout("3M").value(), minutes(3));
  EXPECT_EQ(parse_timeout("20S").value(), seconds(20));
  EXPECT_EQ(parse_timeout("1500m").value(), milliseconds(1500));
  EXPECT_EQ(parse_timeout("7u").value(), microseconds(7));
  EXPECT_EQ(parse_timeout("99999999n").value(), nanoseconds(99'999'999));
  EXPECT_EQ(parse_timeout("0S").value(), Duration::zero());
}

TEST(GrpcTimeout, IsAtMostADayWithoutOverflow) {
  EXPECT_EQ(parse_timeout("99999999H").value(), hours(24));
  EXPECT_EQ(parse_timeout("25H").value(), hours(24));
}

TEST(GrpcTimeout, RefusesEverythingElse) {
  for (const char* text : {"", "S", "5", "123456789S", "-1S", "+1S", "1.5S", "1s", "1 S", " 1S",
                           "1S ", "1SS", "0x1S", "S1"}) {
    const Result<Duration> parsed = parse_timeout(text);
    ASSERT_FALSE(parsed.ok()) << '"' << text << '"';
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_EQ(parsed.error().refusal, Refusal::kData);
  }
}

TEST(GrpcMessage, EscapesWhatIsNotPrintableAscii) {
  EXPECT_EQ(encode_status_message("all good: 100%"), "all good: 100%25");
  EXPECT_EQ(encode_status_message("a\nb\r"), "a%0Ab%0D");
  EXPECT_EQ(encode_status_message("\xc3\xbc~"), "%C3%BC~");
  EXPECT_EQ(encode_status_message(std::string("\0\x7f", 2)), "%00%7F");
}

TEST(GrpcMessage, IsBoundedWithoutCuttingAnEscape) {
  EXPECT_EQ(encode_status_message("aaaaaa", 4), "aaaa");
  EXPECT_EQ(encode_status_message("aa\n", 4), "aa");
  EXPECT_EQ(encode_status_message("a\xc3\xbc", 6), "a");
  EXPECT_EQ(encode_status_message("a\xc3\xbc", 7), "a%C3%BC");
  EXPECT_EQ(encode_status_message(std::string(100'000, 'x')).size(), kStatusMessageBytesMax);
  EXPECT_LE(encode_status_message(std::string(100'000, '\xff')).size(), kStatusMessageBytesMax);
}

TEST(GrpcContentType, IsProtobufOnlyWhenItSaysSo) {
  EXPECT_EQ(parse_content_type("application/grpc"), ContentType::kProtobuf);
  EXPECT_EQ(parse_content_type("application/grpc+proto"), ContentType::kProtobuf);
  EXPECT_EQ(parse_content_type("application/grpc ; charset=x"), ContentType::kProtobuf);
  EXPECT_EQ(parse_content_type("application/grpc+json"), ContentType::kOtherMessages);
  EXPECT_EQ(parse_content_type("application/grpc-web"), ContentType::kNotGrpc);
  EXPECT_EQ(parse_content_type("application/x-protobuf"), ContentType::kNotGrpc);
  EXPECT_EQ(parse_content_type(""), ContentType::kNotGrpc);
}

TEST(GrpcFrame, HasAFlagAndABigEndianLength) {
  EXPECT_EQ(frame_message("abc", false).view(), std::string_view("\0\0\0\0\3abc", 8));
  EXPECT_EQ(frame_message("", true).view(), std::string_view("\1\0\0\0\0", 5));
  EXPECT_EQ(frame_message(std::string(0x010203, 'x'), false).view().substr(0, 5),
            std::string_view("\0\0\1\2\3", 5));
}

TEST(GrpcAcceptEncoding, FindsAWordInAList) {
  EXPECT_TRUE(lists("gzip", "gzip"));
  EXPECT_TRUE(lists("identity, deflate ,gzip", "gzip"));
  EXPECT_FALSE(lists("identity,xgzip,gzip2", "gzip"));
  EXPECT_FALSE(lists("", "gzip"));
  EXPECT_FALSE(lists(",,", "gzip"));
}

}  // namespace
}  // namespace spanway::rpc
