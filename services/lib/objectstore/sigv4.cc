#include "services/lib/objectstore/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <ctime>
#include <map>

#include "services/lib/base/check.h"
#include "services/lib/base/hex.h"
#include "services/lib/base/percent_encoding.h"

namespace spanway::objectstore {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

Sha256 hmac(std::string_view key, std::string_view text) {
  Sha256 result;
  unsigned length = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                          reinterpret_cast<unsigned char*>(result.data()), &length);
  SPANWAY_CHECK(done != nullptr && length == result.size());
  return result;
}

std::string amz_date(SystemTime now) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts)};
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  Sha256 result;
  unsigned length = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(result.data()),
                 &length, EVP_sha256(), nullptr);
  SPANWAY_CHECK(done == 1 && length == result.size());
  return result;
}

std::string encode_key(std::string_view key) {
  std::string out;
  while (true) {
    const std::size_t slash = key.find('/');
    out += percent_encode(key.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '/';
    key.remove_prefix(slash + 1);
  }
}

std::string encode_query(const QueryParameters& query) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : query)
    parts.push_back(percent_encode(name) + '=' + percent_encode(value));
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "&") + part;
  return text;
}

void sign(std::string_view method, std::string_view path, std::string_view query,
          const Sha256& payload, const SigningScope& scope, const Credentials& credentials,
          SystemTime now, http::Headers& headers) {
  const std::string date = amz_date(now), payload_hash = to_hex(view(payload));
  headers.add("x-amz-date", date);
  headers.add("x-amz-content-sha256", payload_hash);
  if (!credentials.session_token.empty())
    headers.add("x-amz-security-token", credentials.session_token.reveal());

  std::map<std::string, std::string> sorted(headers.fields().begin(), headers.fields().end());
  sorted["host"] = scope.host;
  std::string canonical, names;
  for (const auto& [name, value] : sorted) {
    canonical.append(name).append(":").append(value).append("\n");
    names += (names.empty() ? "" : ";") + name;
  }
  std::string request;
  request.append(method).append("\n").append(path).append("\n").append(query).append("\n");
  request.append(canonical).append("\n").append(names).append("\n").append(payload_hash);

  const std::string day = date.substr(0, 8);
  const std::string scope_text =
      day + '/' + std::string(scope.region) + '/' + std::string(scope.service) + "/aws4_request";
  const std::string text = std::string(kAlgorithm) + '\n' + date + '\n' + scope_text + '\n' +
                           to_hex(view(sha256(request)));
  Sha256 key = hmac("AWS4" + credentials.secret_access_key.reveal(), day);
  for (const std::string_view part :
       {scope.region, scope.service, std::string_view("aws4_request")})
    key = hmac(view(key), part);
  headers.add("authorization", std::string(kAlgorithm) +
                                   " Credential=" + credentials.access_key_id + '/' + scope_text +
                                   ",SignedHeaders=" + names +
                                   ",Signature=" + to_hex(view(hmac(view(key), text))));
}

}  // namespace spanway::objectstore
