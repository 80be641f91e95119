// The operator's one table of destinations: the section that a type has in the Pipeline, and the
// keys of the exporter's file that its fields set. Rows are keyed by the names of
// sinks/destination.h, whose traits feed the rules of all types; types without a section have no
// row. Immutable.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/api/fields.h"

namespace spanway::api {

// A Secret's key in the exporter's file.
enum class SecretForm {
  kContent,  // Replaced by the content when the file is loaded.
  kPath,     // The path: the exporter reads it again when it changes.
};

// The value of a key: of `json` and `secret` at most one is set, and none when the key is unset.
struct SectionValue {
  Json json = nullptr;
  const SecretKey* secret = nullptr;  // A member of the destination.
  SecretForm form = SecretForm::kContent;
};

// One key of the section, and the field that sets it.
struct SectionKey {
  std::string_view key;    // In the section of the exporter's file: "path_style".
  std::string_view field;  // In the section of the Pipeline: "pathStyle".
  SectionValue (*value)(const Destination& destination) = nullptr;
};

struct DestinationFields {
  std::string_view name;     // sinks::Descriptor::name
  std::string_view section;  // Field of `destination`: "prometheusRemoteWrite".
  const char* doc = "";
  const char* needed_because = "";  // Empty = the section may be unset.
  std::span<const SectionKey> keys;
  // Access to the section; set by the table.
  void (*describe)(Fields& f, Destination& c, const DestinationFields& self) = nullptr;
  bool (*has_section)(const Destination& d) = nullptr;
};

std::span<const DestinationFields> destination_fields() noexcept;
// The row of its type; null for types without a section.
const DestinationFields* fields_of(const Destination& destination) noexcept;
// The keys that are set, with their values. Nothing where a section that is needed is missing.
std::vector<std::pair<std::string, SectionValue>> section_values(const Destination& destination);

// Texts of fields and rules that name types.
inline constexpr char kEndpointDoc[] =
    "OtlpGrpc: host:port. OtlpHttp: base URL, /v1/traces and so on are appended. ClickHouse, Loki, "
    "PrometheusRemoteWrite, Zipkin: URL. S3: URL of a server, unset = AWS. File: a path below "
    "/var/lib/spanway/, with {signal} for the signal.";
inline constexpr char kTypeDoc[] =
    "Protocol of the destination. Debug writes what arrives to the exporter's log.";
inline constexpr char kTlsEnabledDoc[] =
    "Speak TLS. For OtlpGrpc; with other types the endpoint begins with https://.";
inline constexpr char kNoZstdMessage[] = "Zstd is not for OtlpGrpc: use Gzip or None";
inline constexpr char kCompressionMessage[] =
    "does not exist for this type: ClickHouse takes None and Zstd, S3 and PrometheusRemoteWrite "
    "have "
    "their own";
inline constexpr char kHeadersMessage[] =
    "are not sent to ClickHouse and S3: use clickhouse.username or s3.credentialsSecretKeyRef";
inline constexpr char kBasicAuthMessage[] =
    "is not for this type: ClickHouse has clickhouse.username, OtlpGrpc has headers and "
    "bearerTokenSecretKeyRef";

}  // namespace spanway::api
