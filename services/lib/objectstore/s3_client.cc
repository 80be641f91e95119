#include "services/lib/objectstore/s3_client.h"

#include <charconv>
#include <ctime>
#include <pugixml.hpp>
#include <utility>

#include "services/lib/http/client.h"
#include "services/lib/objectstore/multipart_upload.h"
#include "services/lib/objectstore/s3_error.h"
#include "services/lib/objectstore/s3_request.h"

namespace spanway::objectstore {
namespace {

SystemTime parse_time(const char* text) {
  std::tm parts = {};
  if (strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return {};
  return SystemTime(std::chrono::seconds(timegm(&parts)));
}

std::uint64_t parse_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<ListPage> parse_page(const http::Response& response) {
  pugi::xml_document document;
  const std::string_view body = response.body.view();
  const bool is_parsed = static_cast<bool>(document.load_buffer(body.data(), body.size()));
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!is_parsed || !root) return not_s3(response);
  ListPage page;
  for (const pugi::xml_node node : root.children("Contents"))
    page.objects.push_back({.key = node.child_value("Key"),
                            .bytes = parse_number(node.child_value("Size")),
                            .modified = parse_time(node.child_value("LastModified"))});
  for (const pugi::xml_node node : root.children("CommonPrefixes"))
    page.prefixes.emplace_back(node.child_value("Prefix"));
  if (root.child_value("IsTruncated") == std::string_view("true"))
    page.next = root.child_value("NextContinuationToken");
  return page;
}

std::string host_header(const http::Url& url) {
  const std::string host =
      url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const bool is_usual = url.port == (url.https ? 443 : 80);
  return is_usual ? host : host + ":" + std::to_string(url.port);
}

}  // namespace

struct S3Client::Core {
  std::shared_ptr<S3Sender> sender;
  std::size_t part_bytes = 0;
};

S3Client::S3Client(std::shared_ptr<Core> core, std::shared_ptr<http::TlsClientContext> tls)
    : core_(std::move(core)), tls_(std::move(tls)) {}
S3Client::~S3Client() = default;

Result<std::unique_ptr<S3Client>> S3Client::create(S3Options options,
                                                   std::shared_ptr<CredentialsProvider> credentials,
                                                   http::IoPool& io, const Clock& clock) {
  const std::string text = options.endpoint.empty()
                               ? "https://s3." + options.region + ".amazonaws.com"
                               : options.endpoint;
  SPANWAY_ASSIGN(http::Url url, http::Url::parse(text));
  std::string base_path = url.path == "/" ? "" : url.path;
  while (!base_path.empty() && base_path.back() == '/') base_path.pop_back();
  if (options.path_style) {
    base_path += '/' + options.bucket;
  } else {
    url.host = options.bucket + '.' + url.host;
  }
  std::shared_ptr<http::TlsClientContext> tls;
  if (url.https) {
    SPANWAY_ASSIGN(tls, http::TlsClientContext::create(options.tls));
  }
  const std::string host = host_header(url);
  S3Sender::Target target{.host = host,
                          .base_path = base_path,
                          .region = options.region,
                          .endpoint = (url.https ? "https://" : "http://") + host + base_path};
  http::ClientOptions http;
  http.connections_max = options.connections_max;
  http.waiting_max = options.waiting_max;
  http.response_bytes_max = options.answer_bytes_max;
  // A refusal stays what its status says, however long its text is; get() checks the length.
  http.truncate_large_responses = true;
  SPANWAY_ASSIGN(auto client, http::Client::create(std::move(url), http, tls, io));
  auto core = std::make_shared<Core>();
  core->sender = std::make_shared<S3Sender>(std::move(target), std::move(client),
                                            std::move(credentials), clock);
  core->part_bytes = options.part_bytes;
  return std::unique_ptr<S3Client>(new S3Client(std::move(core), std::move(tls)));
}

const std::string& S3Client::endpoint() const noexcept { return core_->sender->target().endpoint; }

Result<bool> S3Client::reload_tls() { return tls_ ? tls_->reload() : Result<bool>(false); }

void S3Client::put(PutRequest request, Deadline deadline, Callback<std::string> done) {
  if (request.body.size() > core_->part_bytes)
    return start_multipart_upload(core_->sender, std::move(request), core_->part_bytes, deadline,
                                  std::move(done));
  S3Request put{.method = "PUT", .key = std::move(request.key)};
  put.headers.add("content-type", request.content_type);
  add_condition(request.condition, put.headers);
  put.body = std::move(request.body);
  put.send_checksum = true;
  S3Sender::send(core_->sender, std::move(put), deadline,
                 [done = std::move(done)](Result<http::Response> answer) {
                   if (!answer.ok()) return done(std::move(answer).error());
                   const std::string_view etag = answer->headers.get("etag");
                   if (etag.empty()) return done(not_s3(*answer));
                   done(std::string(etag));
                 });
}

void S3Client::get(std::string key, std::optional<ByteRange> range, Deadline deadline,
                   Callback<Object> done) {
  S3Request get{.method = "GET", .key = std::move(key)};
  if (range)
    get.headers.add("range", "bytes=" + std::to_string(range->offset) + "-" +
                                 std::to_string(range->offset + range->length - 1));
  S3Sender::send(
      core_->sender, std::move(get), deadline,
      [range, done = std::move(done)](Result<http::Response> answer) {
        if (!answer.ok()) return done(std::move(answer).error());
        const std::uint64_t promised = parse_number(answer->headers.get("content-length"));
        const std::uint64_t size = answer->body.size();
        if (size < promised)
          return done(unknown_error(Code::kResourceExhausted,
                                    "An object of " + std::to_string(promised) +
                                        " bytes is larger than what is read at once")
                          .with_reason("s3_answer_too_large"));
        if (range && (answer->status != 206 || size != range->length))
          return done(Error{.code = Code::kOutOfRange,
                            .refusal = Refusal::kData,
                            .message = "The object does not have the range that was requested",
                            .reason = "s3_range"});
        done(Object{.body = std::move(answer->body),
                    .etag = std::string(answer->headers.get("etag"))});
      });
}

void S3Client::list(ListRequest request, Deadline deadline, Callback<ListPage> done) {
  S3Request list{.method = "GET", .key = ""};
  list.query = {{"list-type", "2"},
                {"max-keys", std::to_string(request.keys_max)},
                {"prefix", request.prefix}};
  if (request.by_folder) list.query.emplace_back("delimiter", "/");
  if (!request.page.empty()) list.query.emplace_back("continuation-token", request.page);
  S3Sender::send(core_->sender, std::move(list), deadline,
                 [done = std::move(done)](Result<http::Response> answer) {
                   if (!answer.ok()) return done(std::move(answer).error());
                   done(parse_page(*answer));
                 });
}

void S3Client::remove(std::string key, Deadline deadline, std::function<void(Status)> done) {
  S3Sender::send(core_->sender, {.method = "DELETE", .key = std::move(key)}, deadline,
                 [done = std::move(done)](Result<http::Response> answer) {
                   if (answer.ok() || answer.error().reason == std::string_view("s3_no_such_key"))
                     return done(Status());
                   done(std::move(answer).error());
                 });
}

}  // namespace spanway::objectstore
