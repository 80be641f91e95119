// Answers of an S3 server, for tests of faults that a real one cannot be made to show.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/lib/sinks/s3/s3_sink.h"
#include "tests/fakes/fake_http_backend.h"

namespace spanway::fakes {

inline http::Response s3_stored(std::string_view body = {}) {
  http::Response response = http_answer(200, body);
  response.headers.add("etag", "\"1\"");
  return response;
}
inline http::Response s3_refusal(int status, std::string_view code, std::string_view text = {}) {
  return http_answer(status,
                     "<?xml version=\"1.0\"?><Error><Code>" + std::string(code) +
                         "</Code><Message>" + std::string(text) + "</Message></Error>",
                     "application/xml");
}
inline http::Response s3_empty_list() {
  return http_answer(200, "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>",
                     "application/xml");
}

// A bucket "traces" with path style at `url`, and the key of tests/parts/s3.sh.
inline sinks::S3SinkOptions s3_sink_options(const std::string& url) {
  sinks::S3SinkOptions options;
  options.client.bucket = "traces";
  options.client.endpoint = url;
  options.client.path_style = true;
  options.prefix = "p";
  options.credentials.source = objectstore::CredentialsSource::kEnvironment;
  options.credentials.environment = [](const char* name) -> std::optional<std::string> {
    if (name == std::string_view("AWS_ACCESS_KEY_ID")) return "testkey";
    if (name == std::string_view("AWS_SECRET_ACCESS_KEY")) return "testsecret";
    return std::nullopt;
  };
  return options;
}

}  // namespace spanway::fakes
