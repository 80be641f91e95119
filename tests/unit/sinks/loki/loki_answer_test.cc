#include "services/lib/sinks/loki/loki_answer.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/fake_http_backend.h"

namespace spanway::sinks {
namespace {

// As Loki 3.7 writes it.
constexpr const char* kTooFarBehind =
    "entry with timestamp 2026-01-01 00:00:00 +0000 UTC ignored, reason: 'entry too far behind, "
    "entry timestamp is: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: "
    "2026-01-02T00:00:00Z',\nuser 'fake', total ignored: 2 out of 10 for stream: {app=\"x\"}";

Result<pipeline::Outcome> read(int status, std::string_view body, std::uint64_t entries = 10) {
  return read_loki_answer(fakes::http_answer(status, body), entries);
}

TEST(LokiAnswer, A2xxWithoutABodyIsAnAcknowledgement) {
  EXPECT_EQ(read(204, "").value().rejected, 0u);
  EXPECT_EQ(read(200, "").value().rejected, 0u);
}

TEST(LokiAnswer, A2xxWithABodyComesFromSomethingElse) {
  EXPECT_EQ(read(200, "{}").error().refusal, Refusal::kConfiguration);
}

TEST(LokiAnswer, CountedEntriesAreRejected) {
  const auto outcome = read(400, kTooFarBehind);
  EXPECT_EQ(outcome.value().rejected, 2u);
  EXPECT_NE(outcome.value().message.find("too far behind"), std::string::npos);
}

TEST(LokiAnswer, ACountOfSomethingElseIsNoCount) {
  EXPECT_EQ(read(400, kTooFarBehind, 11).error().refusal, Refusal::kData);
  EXPECT_EQ(read(400, "user 'x', total ignored: 11 out of 10 for stream: {}").error().refusal,
            Refusal::kData);
  EXPECT_EQ(read(400, "', total ignored: a out of 10 for stream").error().refusal, Refusal::kData);
  // A label's value, which a client chooses.
  EXPECT_EQ(read(400, "entry for stream '{a=\"', total ignored: 9\"}' has timestamp too old")
                .error()
                .refusal,
            Refusal::kData);
}

TEST(LokiAnswer, WithoutACountTheBatchIsHalved) {
  const auto answer = read(400, "entry for stream '{}' has timestamp too old: 1970");
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_STREQ(answer.error().reason, "loki_refused_entries");
}

}  // namespace
}  // namespace spanway::sinks
