#include "services/lib/http/content_coding.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/random.h"

namespace spanway::http {
namespace {

const Decoder::Grow kAlways = [](std::size_t) { return true; };

struct Decoded {
  Status status;
  std::string text;
};

Decoded decode(ContentCoding coding, std::string_view input, std::size_t chunk_bytes = 1000,
               DecodeLimits limits = {}, const Decoder::Grow& grow = kAlways) {
  const auto decoder = Decoder::create(coding, limits);
  Bytes out;
  while (!input.empty()) {
    const std::string_view chunk = input.substr(0, chunk_bytes);
    input.remove_prefix(chunk.size());
    if (auto status = decoder->decode(chunk, out, grow); !status.ok())
      return {std::move(status), std::string(out.view())};
  }
  return {decoder->finish(), std::string(out.view())};
}

std::string encoded(ContentCoding coding, std::string_view text, int level = 0) {
  return std::string(encode(coding, text, level).value().view());
}

std::string zstd_with_window(std::string_view text, int window_log) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  // Fed in two parts, so that the frame cannot be a single segment.
  ZSTD_inBuffer first{text.data(), text.size() / 2, 0};
  ZSTD_compressStream2(context, &to, &first, ZSTD_e_flush);
  in.pos = first.pos;
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0U);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

std::string mixed_text(std::size_t size) {
  Random random(7);
  std::string text;
  while (text.size() < size) {
    text += "service.name";
    for (int i = 0; i < 8; ++i) text.push_back(static_cast<char>(random.next()));
  }
  text.resize(size);
  return text;
}

class EveryCoding : public testing::TestWithParam<ContentCoding> {};

TEST_P(EveryCoding, GivesBackWhatWasEncoded) {
  for (const std::size_t size : {0U, 1U, 5'000U, 300'000U, 2'000'000U}) {
    const std::string text = mixed_text(size);
    const std::string packed = encoded(GetParam(), text);
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{777}, packed.size() + 1}) {
      if (chunk == 1 && size > 10'000) continue;
      const Decoded result = decode(GetParam(), packed, chunk);
      ASSERT_TRUE(result.status.ok()) << result.status.error().message;
      EXPECT_EQ(result.text, text);
    }
  }
}

TEST_P(EveryCoding, StopsAtTheLimitAndAtNothingBelow) {
  const std::string text = mixed_text(200'000);
  const std::string packed = encoded(GetParam(), text);
  EXPECT_TRUE(decode(GetParam(), packed, 1000, {.decoded_bytes_max = 200'000}).status.ok());
  const Decoded result = decode(GetParam(), packed, 1000, {.decoded_bytes_max = 199'999});
  ASSERT_FALSE(result.status.ok());
  EXPECT_EQ(result.status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(result.status.error().refusal, Refusal::kData);
  EXPECT_STREQ(result.status.error().reason, "body_too_large");
}

TEST_P(EveryCoding, AsksBeforeItGrowsAndStopsWhenRefused) {
  const std::string text = mixed_text(1'000'000);
  const std::string packed = encoded(GetParam(), text);
  std::size_t granted = 0;
  std::size_t most = 0;
  const auto decoder = Decoder::create(GetParam(), {});
  Bytes out;
  Status status;
  for (std::size_t at = 0; status.ok() && at < packed.size(); at += 10'000) {
    status =
        decoder->decode(std::string_view(packed).substr(at, 10'000), out, [&](std::size_t total) {
          most = std::max(most, total);
          if (total > 500'000) return false;
          granted = total;
          return true;
        });
    EXPECT_LE(out.capacity(), granted);
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kResourceExhausted);
  EXPECT_EQ(status.error().refusal, Refusal::kTransient);
  EXPECT_GT(most, 500'000U);
}

TEST_P(EveryCoding, TakesAnEmptyGrowAsYes) {
  const Decoded result = decode(GetParam(), encoded(GetParam(), "abc"), 1000, {}, nullptr);
  ASSERT_TRUE(result.status.ok());
  EXPECT_EQ(result.text, "abc");
}

INSTANTIATE_TEST_SUITE_P(Codings, EveryCoding,
                         testing::Values(ContentCoding::kIdentity, ContentCoding::kGzip,
                                         ContentCoding::kZstd, ContentCoding::kDeflate),
                         [](const auto& coding) { return std::string(to_string(coding.param)); });

class EveryCompression : public EveryCoding {};

TEST_P(EveryCompression, RefusesBombs) {
  const std::string bomb = encoded(GetParam(), std::string(50'000'000, '\0'), 9);
  ASSERT_LT(bomb.size(), 100'000U);
  const Decoded result = decode(GetParam(), bomb, 1000, {.decoded_bytes_max = 10'000'000});
  ASSERT_FALSE(result.status.ok());
  EXPECT_EQ(result.status.error().refusal, Refusal::kData);
  EXPECT_STREQ(result.status.error().reason, "body_too_large");
  EXPECT_LT(result.text.size(), 11'000'000U) << "found out on the way";
}

TEST_P(EveryCompression, AllowsAnyRatioWithinTheSize) {
  const std::string zeros(40 * 1024 * 1024, '\0');
  const Decoded result = decode(GetParam(), encoded(GetParam(), zeros, 9));
  ASSERT_TRUE(result.status.ok());
  EXPECT_EQ(result.text, zeros);
}

TEST_P(EveryCompression, RefusesEveryTruncation) {
  const std::string packed = encoded(GetParam(), mixed_text(2'000));
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const Decoded result = decode(GetParam(), std::string_view(packed).substr(0, size));
    ASSERT_FALSE(result.status.ok()) << size;
    EXPECT_EQ(result.status.error().code, Code::kInvalidArgument);
    EXPECT_EQ(result.status.error().refusal, Refusal::kData);
  }
}

TEST_P(EveryCompression, RefusesTrailingGarbageAndPlainText) {
  const std::string packed = encoded(GetParam(), "abc");
  for (const std::string& input :
       {packed + "garbage", packed + std::string(8, '\0'), std::string("plain text, not packed")}) {
    const Decoded result = decode(GetParam(), input);
    ASSERT_FALSE(result.status.ok());
    EXPECT_EQ(result.status.error().code, Code::kInvalidArgument);
  }
}

TEST_P(EveryCompression, DecodesConcatenatedStreamsWhereTheFormatHasThem) {
  const std::string packed =
      encoded(GetParam(), "one ") + encoded(GetParam(), "") + encoded(GetParam(), "two");
  for (const std::size_t chunk : {std::size_t{1}, packed.size()}) {
    const Decoded result = decode(GetParam(), packed, chunk);
    const bool has_them = GetParam() != ContentCoding::kDeflate;
    ASSERT_EQ(result.status.ok(), has_them);
    EXPECT_EQ(result.text, has_them ? "one two" : "one ");
  }
}

TEST_P(EveryCompression, SurvivesAnyFlippedByte) {
  const std::string text = mixed_text(3'000);
  const std::string packed = encoded(GetParam(), text);
  for (std::size_t at = 0; at < packed.size(); ++at) {
    std::string broken = packed;
    broken[at] = static_cast<char>(broken[at] ^ 0x41);
    const Decoded result = decode(GetParam(), broken, 64);
    if (result.status.ok()) continue;
    EXPECT_EQ(result.status.error().refusal, Refusal::kData) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Codings, EveryCompression,
                         testing::Values(ContentCoding::kGzip, ContentCoding::kZstd,
                                         ContentCoding::kDeflate),
                         [](const auto& coding) { return std::string(to_string(coding.param)); });

TEST(GzipDecoder, ChecksTheSum) {
  std::string packed = encoded(ContentCoding::kGzip, "hello hello hello");
  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
  const Decoded result = decode(ContentCoding::kGzip, packed);
  ASSERT_FALSE(result.status.ok());
  EXPECT_STREQ(result.status.error().reason, "body_corrupt");
}

TEST(GzipDecoder, RefusesZlibAndRawDeflate) {
  const std::string text = "hello hello hello";
  uLongf size = 100;
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(text.data()), text.size());
  packed.resize(size);
  EXPECT_FALSE(decode(ContentCoding::kGzip, packed).status.ok());
  EXPECT_FALSE(decode(ContentCoding::kGzip, packed.substr(2)).status.ok());
}

TEST(GzipDecoder, CountsTheBombOverAllMembers) {
  std::string packed;
  for (int i = 0; i < 100; ++i)
    packed += encoded(ContentCoding::kGzip, std::string(100'000, '\0'), 9);
  EXPECT_FALSE(
      decode(ContentCoding::kGzip, packed, 1000, {.decoded_bytes_max = 9'000'000}).status.ok());
}

TEST(DeflateDecoder, TakesTheStreamWithAndWithoutTheHeaderOfZlib) {
  const std::string text = mixed_text(100'000);
  const std::string zlib = encoded(ContentCoding::kDeflate, text);
  // Two bytes of header in front, four of checksum behind.
  const std::string raw = zlib.substr(2, zlib.size() - 6);
  for (const std::string& packed : {zlib, raw}) {
    for (const std::size_t chunk : {std::size_t{1}, packed.size()}) {
      const Decoded result = decode(ContentCoding::kDeflate, packed, chunk);
      ASSERT_TRUE(result.status.ok()) << result.status.error().message;
      EXPECT_EQ(result.text, text);
    }
    EXPECT_FALSE(decode(ContentCoding::kDeflate, packed + "x").status.ok());
    EXPECT_FALSE(decode(ContentCoding::kDeflate, packed.substr(0, packed.size() / 2)).status.ok());
  }
}

TEST(ZstdDecoder, TakesWindowsUpTo8MiBAndAsksForThem) {
  const std::string text = mixed_text(100'000);
  std::size_t most = 0;
  const Decoded within =
      decode(ContentCoding::kZstd, zstd_with_window(text, 23), 1000, {}, [&](std::size_t total) {
        most = std::max(most, total);
        return true;
      });
  ASSERT_TRUE(within.status.ok()) << within.status.error().message;
  EXPECT_EQ(within.text, text);
  EXPECT_GT(most, 8U << 20) << "the window is memory too";
  const Decoded above = decode(ContentCoding::kZstd, zstd_with_window(text, 24));
  ASSERT_FALSE(above.status.ok());
  EXPECT_EQ(above.status.error().code, Code::kInvalidArgument);
}

TEST(ContentCoding, ParsesOnlyWhatIsSupported) {
  EXPECT_EQ(parse_content_coding("").value(), ContentCoding::kIdentity);
  EXPECT_EQ(parse_content_coding("identity").value(), ContentCoding::kIdentity);
  EXPECT_EQ(parse_content_coding("gzip").value(), ContentCoding::kGzip);
  EXPECT_EQ(parse_content_coding("GZIP").value(), ContentCoding::kGzip);
  EXPECT_EQ(parse_content_coding("x-gzip").value(), ContentCoding::kGzip);
  EXPECT_EQ(parse_content_coding("deflate").value(), ContentCoding::kDeflate);
  EXPECT_EQ(parse_content_coding("zstd").value(), ContentCoding::kZstd);
  for (const char* header : {"br", "x-deflate", "gzip, gzip", "gzip,identity", "snappy", " gzip"}) {
    const auto coding = parse_content_coding(header);
    ASSERT_FALSE(coding.ok()) << header;
    EXPECT_EQ(coding.error().code, Code::kUnimplemented);
    EXPECT_EQ(coding.error().refusal, Refusal::kData);
  }
}

}  // namespace
}  // namespace spanway::http
