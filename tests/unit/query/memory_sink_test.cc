#include "services/query/memory_sink.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/answers.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

pipeline::Batch batch(otlp::Signal signal, const std::string& payload) {
  pipeline::Batch batch;
  batch.signal = signal;
  batch.payload = Bytes(payload);
  batch.metadata.tenant = "acme";
  return batch;
}

TEST(MemorySink, AnAcknowledgedSpanCanBeRead) {
  MemoryTraceStore store;
  MemorySink sink(store);
  fakes::Answers answers;
  sink.send(batch(otlp::Signal::kTraces, fakes::otlp_request_of({fakes::otlp_span(1, 1, "a", {})})),
            answers.token());
  ASSERT_TRUE(answers.next()->ok());
  QueryContext context;
  context.tenant = "acme";
  EXPECT_EQ(store.status(context)->spans, 1u);
  EXPECT_TRUE(store.ping(context).ok());
}

TEST(MemorySink, OtherSignalsAndBrokenRequestsAreRefused) {
  MemoryTraceStore store;
  MemorySink sink(store);
  fakes::Answers answers;
  sink.send(batch(otlp::Signal::kLogs, fakes::otlp_request_of({fakes::otlp_log_record("a")})),
            answers.token());
  EXPECT_EQ(answers.next()->error().refusal, Refusal::kConfiguration) << "the bridge keeps them";
  sink.send(batch(otlp::Signal::kTraces, "\x0a\xff"), answers.token());
  EXPECT_EQ(answers.next()->error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::query
