#include "services/lib/sinks/debug/debug_sink.h"

#include <gtest/gtest.h>

#include "tests/fakes/answers.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

class DebugSinkTest : public testing::Test {
 protected:
  DebugSinkTest() { testing::internal::CaptureStderr(); }
  ~DebugSinkTest() override {
    if (!taken_) testing::internal::GetCapturedStderr();
  }

  DebugSink make(DebugSinkOptions options = {}) {
    return DebugSink(options, clock_, {log_, metrics_});
  }
  static pipeline::Batch batch(const std::string& payload) {
    pipeline::Batch b;
    b.payload = Bytes(payload);
    b.metadata.tenant = "acme";
    return b;
  }
  static std::string two_spans() {
    return fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span(1, 2, "second")});
  }
  std::string log_text() {
    taken_ = true;
    return testing::internal::GetCapturedStderr();
  }
  static std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      ++n;
    return n;
  }

  fakes::ManualClock clock_;
  telemetry::Logger log_ = telemetry::Logger::create({});
  telemetry::Metrics metrics_;
  fakes::Answers answers_;
  bool taken_ = false;
};

TEST_F(DebugSinkTest, WritesTheCountsOfABatch) {
  DebugSink sink = make();
  const std::string payload = two_spans();
  sink.send(batch(payload), answers_.token());
  EXPECT_EQ(answers_.count(), 1u);
  EXPECT_TRUE(answers_.next()->ok());
  const std::string text = log_text();
  EXPECT_NE(text.find("signal=traces items=2 bytes=" + std::to_string(payload.size()) +
                      " resources=1 scopes=1 tenant=acme"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("second"), std::string::npos);
}

TEST_F(DebugSinkTest, ShowsTheContentOnlyWhenRequestedAndOnlySoMuch) {
  DebugSink sink = make({.verbosity = Verbosity::kDetailed, .detail_bytes_max = 100});
  sink.send(batch(two_spans()), answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  const std::string text = log_text();
  EXPECT_NE(text.find("resourceSpans"), std::string::npos);
  EXPECT_EQ(text.find("second"), std::string::npos);
}

TEST_F(DebugSinkTest, ShowsLongContentInPieces) {
  DebugSink sink = make({.verbosity = Verbosity::kDetailed, .detail_bytes_max = 100'000});
  std::vector<fakes::ProtoMessage> spans;
  for (std::uint64_t i = 1; i <= 60; ++i) spans.push_back(fakes::otlp_span(1, i, "span-name"));
  sink.send(batch(fakes::otlp_request_of(spans)), answers_.token());
  const std::string text = log_text();
  EXPECT_GT(count(text, "Batch content"), 1u);
  EXPECT_GE(count(text, "span-name"), 58u);  // One or two may lie on a border.
}

TEST_F(DebugSinkTest, LimitsItsLinesAndCountsTheRest) {
  DebugSink sink = make({.lines_per_second_max = 2});
  for (int i = 0; i < 5; ++i) sink.send(batch(two_spans()), answers_.token());
  clock_.advance(std::chrono::seconds(1));
  sink.send(batch(two_spans()), answers_.token());
  EXPECT_EQ(answers_.count(), 6u);
  const std::string text = log_text();
  EXPECT_EQ(count(text, "items=2"), 3u);
  EXPECT_NE(text.find("skipped_lines=3"), std::string::npos);
}

TEST_F(DebugSinkTest, EmptyBatchLeavesNoLine) {
  DebugSink sink = make();
  sink.send({}, answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_EQ(log_text(), "");
}

TEST_F(DebugSinkTest, RefusesBrokenFraming) {
  DebugSink sink = make();
  sink.send(batch("\x0a\x7f"), answers_.token());
  EXPECT_EQ(answers_.next()->error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::sinks
