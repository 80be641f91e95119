#include "services/lib/otlp_server/http_answer.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/ingress/requests.h"

namespace spanway::otlp_server {
namespace {

using ingress::testing::Exchange;

TEST(EncodingOf, KnowsTheTwoOtlpTypesWithParametersInAnyCase) {
  EXPECT_EQ(encoding_of("application/x-protobuf"), otlp::Encoding::kProtobuf);
  EXPECT_EQ(encoding_of("Application/X-Protobuf ; charset=x"), otlp::Encoding::kProtobuf);
  EXPECT_EQ(encoding_of("application/json; charset=utf-8"), otlp::Encoding::kJson);
  for (const char* type : {"", "text/plain", "application/protobuf", "application/jsonx",
                           "application/grpc", "application/json, application/x-protobuf"})
    EXPECT_EQ(encoding_of(type), std::nullopt) << type;
}

TEST(AcceptedCoding, TakesTheBestOfGzipAndZstd) {
  using http::ContentCoding;
  EXPECT_EQ(accepted_coding(""), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("identity, br"), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("gzip"), ContentCoding::kGzip);
  EXPECT_EQ(accepted_coding("*"), ContentCoding::kGzip);
  EXPECT_EQ(accepted_coding("gzip;q=0.5, zstd;q=0.9"), ContentCoding::kZstd);
  EXPECT_EQ(accepted_coding("deflate, GZIP;q=1.0, *;q=0.5"), ContentCoding::kGzip);
  EXPECT_EQ(accepted_coding("gzip;q=0"), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("gzip;q=nonsense"), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("gzip;q=7"), ContentCoding::kIdentity);
}

TEST(HttpAnswer, SaysSuccessInTheRequestsEncoding) {
  Exchange json;
  HttpAnswer(json.responder(), otlp::Encoding::kJson, http::ContentCoding::kIdentity, {})
      .succeed(otlp::Signal::kTraces, 0, "");
  EXPECT_EQ(json.status(), 200);
  EXPECT_EQ(json.header("content-type"), "application/json");
  EXPECT_EQ(json.body(), "{}");
  Exchange protobuf;
  HttpAnswer(protobuf.responder(), otlp::Encoding::kProtobuf, http::ContentCoding::kIdentity, {})
      .succeed(otlp::Signal::kTraces, 2, "bad ids");
  EXPECT_EQ(protobuf.header("content-type"), "application/x-protobuf");
  const auto partial = otlp::parse_export_response(otlp::Signal::kTraces, protobuf.body(),
                                                   otlp::Encoding::kProtobuf);
  ASSERT_TRUE(partial.ok());
  EXPECT_EQ(partial->rejected, 2u);
  EXPECT_EQ(partial->message, "bad ids");
}

TEST(HttpAnswer, SaysWhenToComeBack) {
  Exchange exchange;
  HttpAnswer(exchange.responder(), otlp::Encoding::kProtobuf, http::ContentCoding::kIdentity, {})
      .fail(transient_error(Code::kResourceExhausted, "later")
                .with_retry_after(std::chrono::milliseconds(2500)));
  EXPECT_EQ(exchange.status(), 429);
  EXPECT_EQ(exchange.header("retry-after"), "3");
  Exchange data;
  HttpAnswer(data.responder(), otlp::Encoding::kProtobuf, http::ContentCoding::kIdentity, {})
      .fail(invalid_argument("never"));
  EXPECT_EQ(data.status(), 400);
  EXPECT_FALSE(data.response().headers.find("retry-after").has_value());
}

TEST(HttpAnswer, CompressesLongAnswersWhenRequested) {
  Exchange exchange;
  const std::string text(3000, 'x');
  HttpAnswer(exchange.responder(), otlp::Encoding::kJson, http::ContentCoding::kGzip, {})
      .succeed(otlp::Signal::kTraces, 1, text);
  EXPECT_EQ(exchange.header("content-encoding"), "gzip");
  EXPECT_LT(exchange.body().size(), 1000u);
  Bytes plain;
  auto decoder = http::Decoder::create(http::ContentCoding::kGzip, {});
  ASSERT_TRUE(decoder->decode(exchange.body(), plain, [](std::size_t) { return true; }).ok());
  ASSERT_TRUE(decoder->finish().ok());
  EXPECT_NE(plain.view().find(text), std::string_view::npos);
  Exchange small;
  HttpAnswer(small.responder(), otlp::Encoding::kJson, http::ContentCoding::kGzip, {})
      .succeed(otlp::Signal::kTraces, 0, "");
  EXPECT_EQ(small.header("content-encoding"), "");
}

TEST(HttpAnswer, CarriesTheHeadersItWasGiven) {
  Exchange exchange;
  http::Headers extra;
  extra.add("access-control-allow-origin", "*");
  HttpAnswer answer(exchange.responder(), otlp::Encoding::kJson, http::ContentCoding::kIdentity,
                    std::move(extra));
  answer.add_header("allow", "POST");
  answer.fail(invalid_argument("no"), 405);
  EXPECT_EQ(exchange.status(), 405);
  EXPECT_EQ(exchange.header("access-control-allow-origin"), "*");
  EXPECT_EQ(exchange.header("allow"), "POST");
}

}  // namespace
}  // namespace spanway::otlp_server
