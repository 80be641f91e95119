#include "services/lib/sinks/registry.h"

#include <gtest/gtest.h>

#include "tests/fakes/answers.h"
#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::sinks {
namespace {

class DestinationRegistryTest : public testing::Test {
 protected:
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"test", 1};
  DestinationDeps deps_{io_, system_clock(), {log_, metrics_}};
};

TEST_F(DestinationRegistryTest, EveryTypeIsBuiltInAndHasItsDescriptor) {
  for (std::size_t i = 0; i < kDestinationTypeCount; ++i) {
    DestinationConfig config;
    config.type = destinations()[i].type;
    SCOPED_TRACE(to_string(config.type));
    EXPECT_TRUE(builtin_destinations().create(config, deps_).ok());
    EXPECT_EQ(descriptor_of(config.type).type, config.type);
    const auto& signals = descriptor_of(config.type).signals;
    EXPECT_TRUE(signals[0] || signals[1] || signals[2]);
    // gRPC receivers refuse 4 MiB by default; stores that are reached otherwise take larger ones.
    EXPECT_LT(descriptor_of(config.type).batch_bytes_max,
              descriptor_of(config.type).needs_batch_identity ? 64u << 20 : 4u << 20);
    EXPECT_NE(endpoint_of(config), "");
  }
}

// Example of RFC 7617, section 2.
TEST_F(DestinationRegistryTest, HttpDestinationsSendBasicAuthentication) {
  fakes::FakeHttpBackend backend;
  DestinationConfig config;
  config.type = DestinationType::kOtlpHttp;
  config.otlp_http.endpoint = backend.url();
  config.otlp_http.http.basic_auth = {"Aladdin", Secret("open sesame")};
  const auto sink = builtin_destinations().create(config, deps_);
  ASSERT_TRUE(sink.ok());
  pipeline::Batch batch;
  batch.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
  fakes::Answers answers;
  (*sink)->send(std::move(batch), answers.token());
  answers.next();
  ASSERT_EQ(backend.requests().size(), 1u);
  EXPECT_EQ(backend.requests()[0].head.headers.get("authorization"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_F(DestinationRegistryTest, SaysWhichSectionIsWrong) {
  DestinationConfig config;
  config.type = DestinationType::kZipkin;
  config.zipkin.endpoint = "nonsense";
  const auto sink = builtin_destinations().create(config, deps_);
  ASSERT_FALSE(sink.ok());
  EXPECT_TRUE(sink.error().message.starts_with("destination.zipkin: ")) << sink.error().message;
}

TEST_F(DestinationRegistryTest, UsesTheFactoryThatWasAddedAndNoOther) {
  DestinationRegistry registry;
  registry.add(DestinationType::kDebug, [](const DestinationConfig&, const DestinationDeps&) {
    return Result<std::unique_ptr<pipeline::Sink>>(std::make_unique<fakes::SinkRecorder>());
  });
  DestinationConfig config;
  config.type = DestinationType::kDebug;
  EXPECT_TRUE(registry.create(config, deps_).ok());
  config.type = DestinationType::kFile;
  EXPECT_EQ(registry.create(config, deps_).error().refusal, Refusal::kConfiguration);
}

}  // namespace
}  // namespace spanway::sinks
