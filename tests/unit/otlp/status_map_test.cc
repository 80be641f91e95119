#include "services/lib/otlp/status_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "services/lib/otlp/reasons.h"
#include "services/lib/otlp/rpc_status.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp {
namespace {

using namespace std::chrono_literals;
using fakes::ProtoMessage;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kNow = std::chrono::system_clock::time_point(
    std::chrono::seconds(784'111'777));  // 06 Nov 1994 08:49:37

Code code_of(Refusal refusal, Code code) {
  return grpc_code(Error{.code = code, .refusal = refusal, .message = ""});
}
int http_of(Refusal refusal, Code code) {
  return http_status(Error{.code = code, .refusal = refusal, .message = ""});
}

// The rules of OTLP for clients, and no more.
bool client_retries(Code code, bool has_retry_info) {
  switch (code) {
    case Code::kCancelled:
    case Code::kDeadlineExceeded:
    case Code::kAborted:
    case Code::kOutOfRange:
    case Code::kUnavailable:
    case Code::kDataLoss:
      return true;
    case Code::kResourceExhausted:
      return has_retry_info;
    default:
      return false;
  }
}

TEST(GrpcCode, ClientsRetryTransientErrorsAndNoDataErrors) {
  for (int number = 0; number <= 16; ++number) {
    const auto code = static_cast<Code>(number);
    EXPECT_TRUE(client_retries(code_of(Refusal::kTransient, code), true)) << number;
    EXPECT_FALSE(client_retries(code_of(Refusal::kData, code), false)) << number;
    EXPECT_FALSE(client_retries(code_of(Refusal::kConfiguration, code), false)) << number;
    EXPECT_NE(code_of(Refusal::kUnknown, code), Code::kOk);
    EXPECT_NE(code_of(Refusal::kData, code), Code::kOk);
  }
  EXPECT_EQ(code_of(Refusal::kTransient, Code::kDeadlineExceeded), Code::kUnavailable);
  EXPECT_EQ(code_of(Refusal::kTransient, Code::kResourceExhausted), Code::kResourceExhausted);
  EXPECT_EQ(code_of(Refusal::kData, Code::kResourceExhausted), Code::kResourceExhausted);
  EXPECT_EQ(code_of(Refusal::kData, Code::kUnknown), Code::kInvalidArgument);
}

// Between our own services an error keeps its kind and, where it is one of ours, its reason.
TEST(GrpcCode, ErrorSurvivesAHop) {
  for (const Refusal refusal : {Refusal::kTransient, Refusal::kConfiguration}) {
    for (int number = 1; number <= 16; ++number) {
      Error error{.code = static_cast<Code>(number),
                  .refusal = refusal,
                  .message = "why",
                  .reason = "no_memory"};
      const Bytes details = status_body(error, Encoding::kProtobuf);
      const Error seen = error_from_grpc(static_cast<int>(grpc_code(error)), "why", details.view());
      EXPECT_EQ(seen.refusal, refusal) << number;
      EXPECT_STREQ(seen.reason, "no_memory");
      EXPECT_EQ(seen.retry_after.has_value(), refusal == Refusal::kTransient);
    }
  }
  for (const Code code : {Code::kInvalidArgument, Code::kResourceExhausted}) {
    const Error error = data_error(code, "why");
    EXPECT_EQ(error_from_grpc(static_cast<int>(grpc_code(error)), "",
                              status_body(error, Encoding::kProtobuf).view())
                  .refusal,
              Refusal::kData);
  }
  for (int number = 1; number <= 16; ++number) {
    const Error error = unknown_error(static_cast<Code>(number), "why");
    EXPECT_EQ(error_from_grpc(static_cast<int>(grpc_code(error)), "",
                              status_body(error, Encoding::kProtobuf).view())
                  .refusal,
              Refusal::kUnknown)
        << number;
  }
}

TEST(HttpStatus, FollowsTheKind) {
  EXPECT_EQ(http_of(Refusal::kTransient, Code::kUnavailable), 503);
  EXPECT_EQ(http_of(Refusal::kTransient, Code::kDeadlineExceeded), 503);
  EXPECT_EQ(http_of(Refusal::kTransient, Code::kUnauthenticated), 503);
  EXPECT_EQ(http_of(Refusal::kTransient, Code::kResourceExhausted), 429);
  EXPECT_EQ(http_of(Refusal::kData, Code::kInvalidArgument), 400);
  EXPECT_EQ(http_of(Refusal::kData, Code::kOutOfRange), 400);
  EXPECT_EQ(http_of(Refusal::kData, Code::kResourceExhausted), 413);
  EXPECT_EQ(http_of(Refusal::kData, Code::kUnimplemented), 415);
  EXPECT_EQ(http_of(Refusal::kConfiguration, Code::kUnauthenticated), 401);
  EXPECT_EQ(http_of(Refusal::kConfiguration, Code::kPermissionDenied), 403);
  EXPECT_EQ(http_of(Refusal::kConfiguration, Code::kNotFound), 404);
  EXPECT_EQ(http_of(Refusal::kConfiguration, Code::kUnimplemented), 404);
  EXPECT_EQ(http_of(Refusal::kUnknown, Code::kInternal), 500);
  EXPECT_EQ(http_of(Refusal::kConfiguration, Code::kInternal), 500);
}

// --- Bodies ---

TEST(StatusBody, JsonHasTypedDetails) {
  const Error error =
      unavailable("Kafka \"a\"\n is away").with_retry_after(1500ms).with_reason("no_memory");
  EXPECT_EQ(status_body(error, Encoding::kJson).view(),
            R"({"code":14,"message":"Kafka \"a\"\n is away","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"},)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"no_memory",)"
            R"("domain":"spanway"}]})");
  EXPECT_EQ(status_body(invalid_argument("no"), Encoding::kJson).view(),
            R"({"code":3,"message":"no"})");
}

TEST(StatusBody, ProtobufIsGoogleRpcStatus) {
  const Error error = transient_error(Code::kResourceExhausted, "full")
                          .with_retry_after(2500ms)
                          .with_reason("no_memory");
  const ProtoMessage retry_info =
      ProtoMessage().message(1, ProtoMessage().varint(1, 2).varint(2, 500'000'000));
  const ProtoMessage error_info = ProtoMessage().bytes(1, "no_memory").bytes(2, "spanway");
  const auto any = [](std::string_view type, const ProtoMessage& value) {
    return ProtoMessage().bytes(1, type).message(2, value);
  };
  EXPECT_EQ(status_body(error, Encoding::kProtobuf).view(),
            ProtoMessage()
                .varint(1, 8)
                .bytes(2, "full")
                .message(3, any("type.googleapis.com/google.rpc.RetryInfo", retry_info))
                .message(3, any("type.googleapis.com/google.rpc.ErrorInfo", error_info))
                .encode());
}

TEST(StatusBody, TransientErrorsAlwaysSayWhenToComeBack) {
  const Error error = transient_error(Code::kResourceExhausted, "full");
  EXPECT_THAT(std::string(status_body(error, Encoding::kJson).view()),
              HasSubstr("\"retryDelay\":\"1s\""));
  // Without RetryInfo it would be taken for "too large".
  EXPECT_EQ(error_from_grpc(8, "", status_body(error, Encoding::kProtobuf).view()).refusal,
            Refusal::kTransient);
}

TEST(StatusBody, MessageIsBoundedValidUtf8) {
  const Error error = invalid_argument("\xff" + std::string(100'000, 'x'));
  const Bytes json = status_body(error, Encoding::kJson);
  EXPECT_LT(json.size(), kErrorMessageBytesMax + 100);
  EXPECT_THAT(std::string(json.view()), HasSubstr("\"?xxx"));
  RpcStatus status;
  EXPECT_TRUE(read_protobuf(status_body(error, Encoding::kProtobuf).view(), status));
  EXPECT_EQ(status.message.size(), kErrorMessageBytesMax);
}

TEST(RetryAfterSeconds, IsAtLeastOneAndOnlyForTransientErrors) {
  EXPECT_EQ(retry_after_seconds(unavailable("x")), 1);
  EXPECT_EQ(retry_after_seconds(unavailable("x").with_retry_after(1ms)), 1);
  EXPECT_EQ(retry_after_seconds(unavailable("x").with_retry_after(1001ms)), 2);
  EXPECT_EQ(retry_after_seconds(invalid_argument("x")), std::nullopt);
}

// --- Export responses ---

TEST(ExportResponse, FullSuccessIsEmpty) {
  EXPECT_EQ(export_response(Signal::kTraces, 0, "", Encoding::kProtobuf).size(), 0u);
  EXPECT_EQ(export_response(Signal::kTraces, 0, "", Encoding::kJson).view(), "{}");
}

TEST(ExportResponse, JsonNamesTheSignal) {
  EXPECT_EQ(export_response(Signal::kTraces, 3, "bad", Encoding::kJson).view(),
            R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"bad"}})");
  EXPECT_EQ(export_response(Signal::kMetrics, 3, "", Encoding::kJson).view(),
            R"({"partialSuccess":{"rejectedDataPoints":"3"}})");
  EXPECT_EQ(export_response(Signal::kLogs, 0, "warning", Encoding::kJson).view(),
            R"({"partialSuccess":{"errorMessage":"warning"}})");
}

TEST(ExportResponse, IsUnderstoodAgain) {
  for (const Encoding encoding : {Encoding::kProtobuf, Encoding::kJson}) {
    for (const Signal signal : kSignals) {
      for (const std::uint64_t rejected : {0ull, 1ull, 300ull, 1ull << 40}) {
        const Bytes body = export_response(signal, rejected, "why \"so\"", encoding);
        const auto parsed = parse_export_response(signal, body.view(), encoding);
        ASSERT_TRUE(parsed.ok());
        EXPECT_EQ(parsed->rejected, rejected);
        EXPECT_EQ(parsed->message, "why \"so\"");
      }
    }
  }
}

TEST(ExportResponse, MessageIsCutAtFourKibibytes) {
  const std::string text(10'000, 'x');
  EXPECT_LT(export_response(Signal::kLogs, 1, text, Encoding::kProtobuf).size(), 4200u);
  EXPECT_LT(export_response(Signal::kLogs, 1, text, Encoding::kJson).size(), 4200u);
}

TEST(ExportResponse, OthersAnswersAreReadWithCare) {
  const auto json = [](std::string_view text) {
    return parse_export_response(Signal::kTraces, text, Encoding::kJson);
  };
  EXPECT_EQ(json(R"({"partialSuccess":{"rejectedSpans":7}})")->rejected, 7u);
  EXPECT_EQ(json(R"({"partialSuccess":null})")->rejected, 0u);
  EXPECT_EQ(json(R"({"partialSuccess":{"rejectedSpans":"-7"}})")->rejected, 0u);
  EXPECT_EQ(json(R"({"partialSuccess":{"rejectedLogRecords":"7"}})")->rejected, 0u);
  for (const std::string_view text : {"", "<html>", "[]", R"({"partialSuccess":3})",
                                      R"({"partialSuccess":{"rejectedSpans":"many"}})"}) {
    const auto parsed = json(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().refusal, Refusal::kUnknown);
    EXPECT_STREQ(parsed.error().reason, "bad_export_response");
  }
  EXPECT_FALSE(parse_export_response(Signal::kTraces, "\x0a\x05", Encoding::kProtobuf).ok());
  EXPECT_TRUE(parse_export_response(Signal::kTraces, "\x12\x01x", Encoding::kProtobuf).ok());
}

// --- Others' errors ---

TEST(ErrorFromGrpc, KindByCode) {
  const std::vector<std::pair<int, Refusal>> expected = {
      {1, Refusal::kTransient},      {2, Refusal::kUnknown},       {3, Refusal::kData},
      {4, Refusal::kTransient},      {5, Refusal::kConfiguration}, {6, Refusal::kUnknown},
      {7, Refusal::kConfiguration},  {8, Refusal::kData},          {9, Refusal::kConfiguration},
      {10, Refusal::kTransient},     {11, Refusal::kTransient},    {12, Refusal::kConfiguration},
      {13, Refusal::kUnknown},       {14, Refusal::kTransient},    {15, Refusal::kTransient},
      {16, Refusal::kConfiguration}, {0, Refusal::kUnknown},       {17, Refusal::kUnknown},
      {-1, Refusal::kUnknown}};
  for (const auto& [code, refusal] : expected)
    EXPECT_EQ(error_from_grpc(code, "text", "").refusal, refusal) << code;
  EXPECT_EQ(error_from_grpc(14, "text", "").message, "UNAVAILABLE: text");
  EXPECT_EQ(error_from_grpc(14, "", "").message, "UNAVAILABLE");
}

std::string details_with(std::string_view type, const ProtoMessage& value) {
  return ProtoMessage()
      .varint(1, 8)
      .message(3, ProtoMessage().bytes(1, type).message(2, value))
      .encode();
}

TEST(ErrorFromGrpc, RetryInfoIsHonouredWithinBounds) {
  constexpr std::string_view kType = "type.googleapis.com/google.rpc.RetryInfo";
  const auto wait = [&](std::uint64_t seconds, std::uint64_t nanos) {
    return error_from_grpc(
               8, "",
               details_with(kType, ProtoMessage().message(
                                       1, ProtoMessage().varint(1, seconds).varint(2, nanos))))
        .retry_after;
  };
  EXPECT_EQ(wait(3, 1), 3001ms);
  EXPECT_EQ(wait(0, 0), 0ms);
  EXPECT_EQ(wait(~0ull, ~0ull), 0ms);  // -1 s.
  EXPECT_EQ(wait(1ull << 60, 0), 1h);
  EXPECT_EQ(error_from_grpc(8, "", details_with(kType, {})).refusal, Refusal::kTransient);
  EXPECT_EQ(error_from_grpc(8, "", details_with("type.googleapis.com/other", {})).refusal,
            Refusal::kData);
}

TEST(ErrorFromGrpc, OnlyOurOwnReasonsAreKept) {
  const auto reason = [](std::string_view domain, std::string_view word) {
    return std::string(error_from_grpc(14, "",
                                       details_with("type.googleapis.com/google.rpc.ErrorInfo",
                                                    ProtoMessage().bytes(1, word).bytes(2, domain)))
                           .reason);
  };
  EXPECT_EQ(reason("spanway", "no_memory"), "no_memory");
  EXPECT_EQ(reason("spanway", "made_up"), "");
  EXPECT_EQ(reason("example.com", "no_memory"), "");
}

TEST(ErrorFromGrpc, BrokenDetailsDoNoHarm) {
  Error error = unavailable("x").with_retry_after(5s).with_reason("no_memory");
  const Bytes complete = status_body(error, Encoding::kProtobuf);
  for (std::size_t size = 0; size < complete.size(); ++size) {
    const std::string cut(complete.view().substr(0, size));
    EXPECT_EQ(error_from_grpc(14, "x", cut).refusal, Refusal::kTransient);
  }
}

TEST(ErrorFromGrpc, MessagesOfPeersAreBoundedAndPrintable) {
  const Error error = error_from_grpc(13, "\xff" + std::string(100'000, 'x'), "");
  EXPECT_LT(error.message.size(), 600u);
  EXPECT_THAT(error.message, HasSubstr("INTERNAL: ?xx"));
}

TEST(ErrorFromHttp, KindByStatus) {
  const std::vector<std::pair<int, Refusal>> expected = {
      {400, Refusal::kData},          {413, Refusal::kData},
      {422, Refusal::kData},          {401, Refusal::kConfiguration},
      {403, Refusal::kConfiguration}, {404, Refusal::kConfiguration},
      {408, Refusal::kTransient},     {425, Refusal::kTransient},
      {301, Refusal::kConfiguration}, {405, Refusal::kConfiguration},
      {415, Refusal::kConfiguration}, {429, Refusal::kTransient},
      {502, Refusal::kTransient},     {503, Refusal::kTransient},
      {504, Refusal::kTransient},     {500, Refusal::kUnknown},
      {418, Refusal::kUnknown},       {599, Refusal::kUnknown}};
  for (const auto& [status, refusal] : expected)
    EXPECT_EQ(error_from_http(status, "", "", kNow).refusal, refusal) << status;
}

TEST(ErrorFromHttp, ATextEndsWithoutTheLineEndOfTheServer) {
  EXPECT_EQ(error_from_http(400, "", "entry too old\n", kNow).message,
            error_from_http(400, "", "entry too old", kNow).message);
}

TEST(ErrorFromHttp, RetryAfterOrTheBodysRetryInfo) {
  const Error ours = unavailable("x").with_retry_after(2500ms);
  for (const Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    const Bytes body = status_body(ours, encoding);
    EXPECT_EQ(error_from_http(503, "", body.view(), kNow).retry_after, 2500ms);
    EXPECT_EQ(error_from_http(503, "7", body.view(), kNow).retry_after, 7s);
    EXPECT_EQ(error_from_http(400, "7", body.view(), kNow).retry_after, std::nullopt);
  }
  EXPECT_EQ(error_from_http(503, "Sun, 06 Nov 1994 08:50:07 GMT", "", kNow).retry_after, 30s);
  EXPECT_EQ(error_from_http(503, "soon", "", kNow).retry_after, std::nullopt);
}

TEST(ErrorFromHttp, TakesTheMessageFromAStatusOrTheText) {
  const Error ours = invalid_argument("too \"odd\"").with_reason("malformed_request");
  for (const Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    const Error seen = error_from_http(400, "", status_body(ours, encoding).view(), kNow);
    EXPECT_EQ(seen.message, "HTTP 400: too \"odd\"");
    EXPECT_STREQ(seen.reason, "malformed_request");
  }
  EXPECT_EQ(error_from_http(500, "", "<html>oops</html>", kNow).message,
            "HTTP 500: <html>oops</html>");
  EXPECT_EQ(error_from_http(500, "", "{\"error\":1}", kNow).message, "HTTP 500: {\"error\":1}");
  EXPECT_EQ(error_from_http(500, "", "", kNow).message, "HTTP 500");
}

// The words between `before` and the next quotation mark.
std::vector<std::string> words_behind(std::string_view text, std::string_view before) {
  std::vector<std::string> words;
  for (std::size_t at = text.find(before); at != std::string_view::npos;
       at = text.find(before, at)) {
    at += before.size();
    words.emplace_back(text.substr(at, text.find('"', at) - at));
  }
  return words;
}

// Every word that our sources give an error must be understood when it comes back.
TEST(Reasons, AreAllListed) {
  EXPECT_TRUE(std::is_sorted(kReasons.begin(), kReasons.end(),
                             [](std::string_view a, std::string_view b) { return a < b; }));
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("services")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".cc" && extension != ".h") continue;
    std::ifstream in(entry.path());
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    for (const std::string_view before : {"with_reason(\"", ".reason = \""}) {
      for (const std::string& word : words_behind(text, before)) {
        if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos ||
            word.empty()) {
          continue;  // Another struct's sentence.
        }
        ++found;
        EXPECT_STRNE(known_reason(word), "")
            << entry.path() << " says \"" << word << "\": add it to services/lib/otlp/reasons.h";
      }
    }
  }
  EXPECT_GT(found, 3u) << "run from the root of the sources";
}

}  // namespace
}  // namespace spanway::otlp
