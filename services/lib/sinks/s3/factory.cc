#include "services/lib/sinks/s3/factory.h"

#include <utility>

#include "services/lib/parquet_file/codec_loader.h"

namespace spanway::sinks {
namespace {

// The largest object that compaction reads, and some.
constexpr std::size_t kObjectBytesMax = 160u << 20;
constexpr int kAttempts = 4;

objectstore::CredentialsSource source_of(S3Config::Credentials source) {
  switch (source) {
    case S3Config::Credentials::kEnvironment:
      return objectstore::CredentialsSource::kEnvironment;
    case S3Config::Credentials::kWebIdentity:
      return objectstore::CredentialsSource::kWebIdentity;
    case S3Config::Credentials::kFile:
      return objectstore::CredentialsSource::kFile;
    case S3Config::Credentials::kAuto:
      break;
  }
  return objectstore::CredentialsSource::kAuto;
}

}  // namespace

S3SinkOptions s3_options(const S3Config& c) {
  S3SinkOptions options;
  options.client.bucket = c.bucket;
  options.client.region = c.region;
  options.client.endpoint = c.endpoint;
  options.client.path_style = c.path_style;
  options.client.tls = c.tls;
  options.client.connections_max = static_cast<std::size_t>(c.connections);
  options.client.part_bytes = static_cast<std::size_t>(c.part_bytes.bytes);
  options.credentials.source = source_of(c.credentials);
  options.credentials.file = c.credentials_file;
  options.credentials.profile = c.profile;
  options.credentials.region = c.region;
  options.prefix = c.prefix;
  options.put_timeout = c.timeout;
  return options;
}

Result<std::unique_ptr<objectstore::S3Client>> create_s3_client(const S3Config& config,
                                                                std::size_t answer_bytes_max,
                                                                http::IoPool& io,
                                                                const Clock& clock) {
  S3SinkOptions options = s3_options(config);
  options.client.answer_bytes_max = answer_bytes_max;
  return objectstore::S3Client::create(
      options.client, objectstore::CredentialsProvider::create(options.credentials, io, clock), io,
      clock);
}

Result<std::unique_ptr<objectstore::ObjectStore>> create_s3_store(const S3Config& config,
                                                                  http::IoPool& io,
                                                                  const Clock& clock) {
  auto client = create_s3_client(config, kObjectBytesMax, io, clock);
  if (!client.ok()) return std::move(client).error().with_context("destination.s3");
  objectstore::S3StoreOptions options;
  options.timeout = config.timeout;
  options.attempts = kAttempts;
  return objectstore::make_s3_store(std::move(client).value(), io, clock, std::move(options));
}

SinkResult create_s3(const DestinationConfig& config, const DestinationDeps& deps) {
  SPANWAY_ASSIGN(const parquet_file::Codec* codec, parquet_file::load_codec());
  S3SinkOptions options = s3_options(config.s3);
  options.in_flight_max = static_cast<std::size_t>(config.in_flight_max);
  return as_sink(S3Sink::create(std::move(options), {deps.io, deps.clock, deps.telemetry}, *codec));
}

}  // namespace spanway::sinks
