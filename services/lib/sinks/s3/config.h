// destination.s3: Parquet files in a bucket of S3 or a server that speaks its protocol.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct S3Config {
  enum class Credentials { kAuto, kEnvironment, kWebIdentity, kFile };

  std::string endpoint;
  std::string region = "us-east-1";
  std::string bucket;
  std::string prefix = "spanway";
  bool path_style = false;
  Credentials credentials = Credentials::kAuto;
  std::string credentials_file;
  std::string profile;
  HttpTlsConfig tls;
  Duration timeout = std::chrono::seconds(30);
  config::ByteSize part_bytes{16u << 20};
  std::int64_t connections = 8;
};

void describe(config::Binder& b, S3Config& c);
// The keys that a reader of the bucket needs, too: all but part_bytes.
void describe_bucket(config::Binder& b, S3Config& c);
// `path` is that of the section, for problems.
void validate(const S3Config& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: "s3://bucket/prefix", behind the endpoint where one is set.
std::string endpoint_of(const S3Config& c);

}  // namespace spanway::sinks
