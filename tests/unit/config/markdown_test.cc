#include <gtest/gtest.h>

#include "tests/unit/config/sample_config.h"

namespace spanway::config {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Markdown, HasATablePerSection) {
  SampleConfig config;
  const std::string text = markdown(describe_of(config));
  for (const char* heading : {"### `kafka`", "### `kafka.topics`", "### `listen`", "### `limits`",
                              "### `destinations[]`"})
    EXPECT_TRUE(has_line(text, heading)) << heading << "\n" << text;
  EXPECT_TRUE(has_line(text, "The listener."));
}

TEST(Markdown, RowsHaveTypeDefaultBoundsAndVariables) {
  SampleConfig config;
  const std::string text = markdown(describe_of(config));
  for (const char* line : {
           "| `port` | port | `4317` |  | `SPANWAY_LISTEN__PORT`, `GRPC_PORT`, `SERVER_PORT` | TCP "
           "port. |",
           "| `timeout` | duration | `30s` | from 1s to 1h | `SPANWAY_LIMITS__TIMEOUT` | Longest "
           "wait. |",
           "| `body` | size | `64MiB` | from 1KiB to 1GiB | `SPANWAY_LIMITS__BODY` | Largest body. "
           "|",
           "| `ratio` | number | `0.5` | from 0 to 1 | `SPANWAY_LIMITS__RATIO` | Share \\| part. |",
           "| `workers` | whole number | `4` | from 1 to 64 | `SPANWAY_LIMITS__WORKERS` | Threads. "
           "Example: `8`. |",
           "| `compression` | one of `none`, `gzip`, `zstd` | `zstd` |  | "
           "`SPANWAY_KAFKA__COMPRESSION` | Codec. |",
           "| `password` | secret |  |  | `SPANWAY_KAFKA__PASSWORD` | SASL password. |",
           "| `name` | text |  |  | `SPANWAY_DESTINATIONS__<N>__NAME` | Unique name. Required. "
           "Example: `jaeger`. |",
       })
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
}

TEST(Markdown, ChangesNothing) {
  SampleConfig config;
  markdown(describe_of(config));
  EXPECT_TRUE(config.destinations.empty());
}

}  // namespace
}  // namespace spanway::config
