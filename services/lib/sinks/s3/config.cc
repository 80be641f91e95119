#include "services/lib/sinks/s3/config.h"

#include "services/lib/config/endpoint.h"

namespace spanway::sinks {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

bool is_ip_address(const std::string& host) {
  return host.find(':') != std::string::npos ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

// As the URL of a bucket is shown: http://minio:9000/traces, https://traces.s3.amazonaws.com.
bool names_bucket(const config::UrlParts& parts, const std::string& bucket) {
  std::string_view path = parts.path;
  if (path.ends_with('/')) path.remove_suffix(1);
  return path.ends_with("/" + bucket) || parts.host.starts_with(bucket + ".s3.") ||
         parts.host.starts_with(bucket + ".s3-");
}

}  // namespace

void describe_bucket(config::Binder& b, S3Config& c) {
  b.key("bucket", c.bucket,
        {.doc = "Bucket; it must exist.",
         .example = "traces",
         .pattern = "([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?"});
  b.key("prefix", c.prefix,
        {.doc = "Begin of every key in the bucket, without '/' at its ends; may be empty.",
         .pattern = "([A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)?"});
  b.key("endpoint", c.endpoint,
        {.doc = "URL of an S3 server; empty = AWS in `region`.", .example = "http://minio:9000"});
  b.key(
      "region", c.region,
      {.doc = "Region of the bucket, which every signature names.", .pattern = "[a-z0-9-]{1,40}"});
  b.key("path_style", c.path_style,
        {.doc = "Name the bucket in the path instead of the host name, as most S3 servers besides "
                "AWS need it."});
  b.key("credentials", c.credentials, {"auto", "environment", "web_identity", "file"},
        {.doc = "Source of the access key. environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
                "AWS_SESSION_TOKEN. web_identity: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, "
                "exchanged at STS. file: `credentials_file`. auto: the first of these that is "
                "set. Files and tokens are read again, so that they may be rotated."});
  b.key("credentials_file", c.credentials_file,
        {.doc = "File of AWS credentials; empty = AWS_SHARED_CREDENTIALS_FILE or "
                "~/.aws/credentials.",
         .example = "/etc/spanway/s3/credentials"});
  b.key("profile", c.profile,
        {.doc = "Profile in that file; empty = AWS_PROFILE or `default`.",
         .pattern = "[A-Za-z0-9_.-]{0,64}"});
  b.section("tls", c.tls, "TLS, for https:// endpoints.");
  describe_timeout(b, c.timeout);
  b.key("connections", c.connections,
        {.doc = "Most connections to the server.", .min = 1, .max = kConnectionsMax});
}

void describe(config::Binder& b, S3Config& c) {
  describe_bucket(b, c);
  b.key("part_bytes", c.part_bytes,
        {.doc = "A larger object is sent in parts of this size.",
         .min = 5 * kMebibyte,
         .max = 1024 * kMebibyte});
}

void validate(const S3Config& c, const std::string& path, config::Problems& problems) {
  spanway::validate(c.tls, path + ".tls", problems);
  if (c.bucket.empty()) problems.add(path + ".bucket", "must name a bucket");
  for (const char* refused : {"..", ".-", "-."}) {
    if (c.bucket.find(refused) == std::string::npos) continue;
    problems.add(path + ".bucket", std::string("must not have '") + refused +
                                       "' in it: no bucket can have this name");
    break;
  }
  // Servers, clients and proxies take such folders out of a path.
  for (const char* refused : {"/./", "/../"})
    if (("/" + c.prefix + "/").find(refused) != std::string::npos)
      problems.add(path + ".prefix", "must not have '.' or '..' as a folder");
  if (c.endpoint.empty()) return;
  check_url(path + ".endpoint", c.endpoint, problems);
  config::UrlParts parts;
  if (!config::parse_url(c.endpoint, parts).empty()) return;
  if (parts.path.find('?') != std::string::npos)
    problems.add(path + ".endpoint", "must not have a query");
  if (!c.bucket.empty() && names_bucket(parts, c.bucket))
    problems.add(path + ".endpoint", "holds the bucket, which is added to it: leave it out here");
  if (is_ip_address(parts.host) && !c.path_style)
    problems.add(path + ".path_style",
                 "must be true: a bucket cannot be put in front of an IP address");
}

std::string endpoint_of(const S3Config& c) {
  const std::string place = c.bucket + (c.prefix.empty() ? "" : "/" + c.prefix);
  return c.endpoint.empty() ? "s3://" + place
                            : c.endpoint.substr(0, c.endpoint.find('?')) + "/" + place;
}

}  // namespace spanway::sinks
