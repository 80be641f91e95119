#include "operator/k8s/rest_client.h"

#include <chrono>
#include <utility>

#include "operator/k8s/blocking_watch.h"
#include "operator/k8s/events.h"
#include "operator/k8s/reconcile_scope.h"
#include "operator/k8s/rest_transport.h"
#include "operator/k8s/status_error.h"
#include "operator/k8s/streamed_watch.h"
#include "operator/k8s/watch_decoder.h"
#include "services/lib/base/percent_encoding.h"
#include "services/lib/http/http2_client.h"
#include "services/lib/http/io_pool.h"

namespace spanway::kube {
namespace {

constexpr int kPageItems = 500;
// The server ends a watch at its timeout; after this it has forgotten to.
constexpr Duration kStreamEndMargin = std::chrono::seconds(30);
constexpr char kUserAgent[] = "spanway-operator/" SPANWAY_VERSION;
constexpr char kJson[] = "application/json";
constexpr char kApplyPatch[] = "application/apply-patch+yaml";
constexpr char kMergePatch[] = "application/merge-patch+json";

// Builds "?a=1&b=2"; values are encoded.
class Query {
 public:
  Query& add(std::string_view name, std::string_view value) {
    text_ += text_.empty() ? '?' : '&';
    text_ += name;
    text_ += '=';
    text_ += percent_encode(value);
    return *this;
  }
  Query& add_unless_empty(std::string_view name, std::string_view value) {
    return value.empty() ? *this : add(name, value);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Result<ObjectKey> key_of(const ResourceType& type, const Json& object) {
  ObjectKey key{string_at(object, "metadata/namespace"), string_at(object, "metadata/name")};
  if (key.name.empty() || (type.namespaced && key.name_space.empty()))
    return invalid_argument("a " + std::string(type.kind) +
                            " to be written has no name or no namespace");
  return key;
}

std::string watch_target(const ResourceType& type, const WatchOptions& options) {
  Query query;
  query.add("watch", "1").add("allowWatchBookmarks", "true");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options.timeout).count();
  query.add("timeoutSeconds", std::to_string(std::max<std::int64_t>(seconds, 1)))
      .add_unless_empty("resourceVersion", options.resource_version)
      .add_unless_empty("labelSelector", options.label_selector)
      .add_unless_empty("fieldSelector", options.field_selector);
  return resource_path(type, options.name_space) + query.text();
}

// Without a name the path would be that of the collection.
Status check_key(const ResourceType& type, const ObjectKey& key) {
  if (key.name.empty() || (type.namespaced && key.name_space.empty()))
    return invalid_argument("a " + std::string(type.kind) + " needs a name and a namespace, not '" +
                            key.text() + "'");
  return ok_status();
}

void take_page(const ResourceType& type, Json& page, ListResult& result) {
  auto items = page.find("items");
  if (items == page.end() || !items->is_array()) return;
  for (Json& item : *items) {
    if (!item.is_object()) continue;
    // The server omits both in the items of a list.
    item["apiVersion"] = type.api_version();
    item["kind"] = std::string(type.kind);
    if (auto metadata = item.find("metadata"); metadata != item.end() && metadata->is_object())
      metadata->erase("managedFields");
    result.items.push_back(std::move(item));
  }
}

}  // namespace

RestClient::RestClient(Access& access, const Clock& clock, telemetry::Telemetry telemetry,
                       RestClientOptions options)
    : access_(access), clock_(clock), telemetry_(telemetry), options_(options) {}
RestClient::~RestClient() = default;

Result<std::unique_ptr<RestClient>> RestClient::create(Access& access, const Clock& clock,
                                                       telemetry::Telemetry telemetry,
                                                       RestClientOptions options) {
  std::unique_ptr<RestClient> client(new RestClient(access, clock, telemetry, options));
  if (access.cluster().server.starts_with("https://"))
    client->io_ = std::make_unique<http::IoPool>("watches", 1, clock);
  Credentials credentials = access.current();
  SPANWAY_ASSIGN(auto connections, connect(access, credentials, options, client->io_.get()));
  {
    MutexLock lock(client->mutex_);
    client->connections_ = std::move(connections);
    client->used_ = std::move(credentials);
  }
  return client;
}

Result<RestClient::Connections> RestClient::connect(const Access& access,
                                                    const Credentials& credentials,
                                                    const RestClientOptions& options,
                                                    http::IoPool* io) {
  Connections connections;
  SPANWAY_ASSIGN(connections.requests,
                 RestTransport::create(access.cluster(), credentials,
                                       {.request_timeout = options.request_timeout,
                                        .longest_timeout = options.list_timeout,
                                        .answer_bytes_max = options.answer_bytes_max,
                                        .user_agent = kUserAgent}));
  if (io == nullptr) return connections;
  SPANWAY_ASSIGN(auto tls, http::TlsClientContext::create(http::TlsClientPem{
                               .ca = credentials.ca_pem,
                               .certificate = credentials.certificate_pem,
                               .key = credentials.key_pem,
                               .server_name = access.cluster().tls_server_name,
                               .insecure_skip_verify = access.cluster().insecure_skip_tls_verify}));
  SPANWAY_ASSIGN(auto url, http::Url::parse(access.cluster().server));
  SPANWAY_ASSIGN(connections.watches,
                 http::Http2Client::create(std::move(url), {}, std::move(tls), *io));
  return connections;
}

RestClient::Connections RestClient::connections(const Credentials& credentials) {
  // Destroyed outside of the lock: ending watches runs callbacks that may call this function.
  Connections replaced;
  MutexLock lock(mutex_);
  if (used_.same_tls(credentials)) return connections_;
  auto fresh = connect(access_, credentials, options_, http2_ ? io_.get() : nullptr);
  // The certificate and its key are replaced one after the other: for a moment they do not match.
  if (!fresh.ok()) {
    telemetry_.log.limited(
        telemetry::LogLevel::kWarn, "kubernetes_certificates",
        "New certificates for the API server cannot be used; the previous ones stay in use",
        {{"error", fresh.error().message}});
    return connections_;
  }
  used_ = credentials;
  replaced = std::exchange(connections_, std::move(*fresh));
  return connections_;
}

void RestClient::use_http1() {
  std::shared_ptr<http::Http2Client> unused;
  MutexLock lock(mutex_);
  if (!std::exchange(http2_, false)) return;
  telemetry_.log.warn(
      "The API server does not offer HTTP/2: each watch takes a connection and a thread",
      {{"server", access_.cluster().server}});
}

void RestClient::count(const char* verb, const Status& outcome) {
  const std::string word = outcome.ok() ? "ok" : std::string(to_string(outcome.error().code));
  telemetry_.metrics.counter(kApiRequests, {{"verb", verb}, {"outcome", word}}).add();
}

Result<HttpAnswer> RestClient::attempt(const HttpRequest& request) {
  Credentials credentials = access_.current();
  auto answer = transport(credentials)->send(request, credentials.token);
  if (!answer.ok() || answer->status != 401 || !access_.renew(credentials.token)) return answer;
  // A 401 comes before the request is executed: every verb may be repeated.
  credentials = access_.current();
  return transport(credentials)->send(request, credentials.token);
}

Result<HttpAnswer> RestClient::call(const char* verb, const HttpRequest& request) {
  const SteadyTime start = clock_.now();
  auto answer = attempt(request);
  const int http_status = answer.ok() ? answer->status : 0;  // 0 = no answer.
  if (answer.ok() && (answer->status < 200 || answer->status > 299))
    answer = error_of_answer(request.method + " " + request.target, answer->status, answer->body,
                             answer->retry_after);
  const std::chrono::duration<double> took = clock_.now() - start;
  telemetry_.metrics.histogram(kApiRequestSeconds, {{"verb", verb}}).observe(took.count());
  count(verb, answer.ok() ? ok_status() : Status(answer.error()));
  if (telemetry_.log.enabled(telemetry::LogLevel::kDebug))
    telemetry_.log.debug("API request", {{"verb", verb},
                                         {"method", request.method},
                                         {"target", request.target},
                                         {"status", http_status},
                                         {"seconds", took.count()},
                                         {"error", answer.ok() ? "" : answer.error().message},
                                         {"reconcile_id", ReconcileScope::current()}});
  return answer;
}

Result<Json> RestClient::call_json(const char* verb, const HttpRequest& request) {
  SPANWAY_ASSIGN(const HttpAnswer answer, call(verb, request));
  auto parsed = parse_json(answer.body, options_.answer_bytes_max);
  if (!parsed.ok() || !parsed->is_object())
    return unavailable(request.method + " " + request.target +
                       ": the answer is no JSON object; is this an API server?")
        .with_reason("not_an_api_server");
  return parsed;
}

Result<Json> RestClient::get(const ResourceType& type, const ObjectKey& key) {
  SPANWAY_TRY(check_key(type, key));
  return call_json("get", {.method = "GET",
                           .target = resource_path(type, key.name_space, key.name),
                           .body = {},
                           .content_type = {}});
}

Result<Json> RestClient::get_cached(const ResourceType& type, const ObjectKey& key) {
  SPANWAY_TRY(check_key(type, key));
  return call_json("get", {.method = "GET",
                           .target = resource_path(type, key.name_space, key.name) +
                                     Query().add("resourceVersion", "0").text(),
                           .body = {},
                           .content_type = {}});
}

Result<ListResult> RestClient::list(const ResourceType& type, const ListOptions& options) {
  ListResult result;
  std::string token;
  for (std::size_t page = 0; page < options_.list_pages_max; ++page) {
    Query query;
    query.add("limit", std::to_string(kPageItems))
        .add_unless_empty("labelSelector", options.label_selector)
        .add_unless_empty("fieldSelector", options.field_selector);
    // The continue token fixes the version of the pages after the first.
    if (!token.empty()) {
      query.add("continue", token);
    } else if (!options.resource_version.empty()) {
      // Without the match a page with a limit has exactly that version, which may be expired for a
      // watch: list and watch would alternate for ever.
      query.add("resourceVersion", options.resource_version)
          .add("resourceVersionMatch", "NotOlderThan");
    }
    SPANWAY_ASSIGN(
        Json answer,
        call_json("list", {.method = "GET",
                           .target = resource_path(type, options.name_space) + query.text(),
                           .body = {},
                           .content_type = {},
                           .timeout = options_.list_timeout}));
    result.resource_version = string_at(answer, "metadata/resourceVersion");
    take_page(type, answer, result);
    token = string_at(answer, "metadata/continue");
    if (token.empty()) return result;
  }
  return unknown_error(Code::kResourceExhausted, "the list of " + std::string(type.plural) +
                                                     " has more than " +
                                                     std::to_string(options_.list_pages_max) +
                                                     " pages of " + std::to_string(kPageItems))
      .with_reason("list_too_long");
}

Result<HttpAnswer> RestClient::open_watch(const HttpRequest& request, const WatchOptions& options,
                                          const std::stop_token& stop,
                                          const std::function<bool(std::string_view)>& on_bytes) {
  Credentials credentials = access_.current();
  auto answer = transport(credentials)
                    ->stream(request, credentials.token, options.silence_max, stop, on_bytes);
  if (!answer.ok() || answer->status != 401 || !access_.renew(credentials.token)) return answer;
  credentials = access_.current();
  return transport(credentials)
      ->stream(request, credentials.token, options.silence_max, stop, on_bytes);
}

Status RestClient::watch(const ResourceType& type, const WatchOptions& options,
                         const std::stop_token& stop,
                         const std::function<bool(WatchEvent)>& on_event) {
  const HttpRequest request{
      .method = "GET", .target = watch_target(type, options), .body = {}, .content_type = {}};
  const std::string what = "WATCH " + resource_path(type, options.name_space);
  WatchDecoder decoder(what);
  std::optional<Error> broken;
  const auto answer = open_watch(request, options, stop, [&](std::string_view bytes) {
    auto next = decoder.feed(bytes, on_event);
    if (next.ok()) return *next == WatchDecoder::Next::kMore;
    broken = std::move(next).error();
    return false;
  });
  Status outcome;
  if (broken)
    outcome = std::move(*broken);
  else if (!answer.ok())
    outcome = answer.error();
  else if (answer->status != 200)
    outcome = error_of_answer(what, answer->status, answer->body, answer->retry_after);
  else
    outcome = decoder.finish();
  count("watch", outcome);
  return outcome;
}

std::unique_ptr<RunningWatch> RestClient::start_watch(const ResourceType& type,
                                                      const WatchOptions& options,
                                                      WatchCallbacks callbacks) {
  const Credentials credentials = access_.current();
  auto streams = connections(credentials).watches;
  const bool http2 = [this] {
    MutexLock lock(mutex_);
    return http2_;
  }();
  // watch() counts for itself.
  if (streams == nullptr || !http2) return watch_on_thread(*this, type, options, callbacks);
  StreamedWatchHooks hooks{
      .renew = [this](const Secret& refused) -> std::optional<Secret> {
        if (!access_.renew(refused)) return std::nullopt;
        return access_.current().token;
      },
      .without_http2 = [this, type, options](WatchCallbacks to) -> std::unique_ptr<RunningWatch> {
        use_http1();
        return watch_on_thread(*this, type, options, std::move(to));
      }};
  callbacks.on_end = [this, on_end = std::move(callbacks.on_end)](Status outcome) {
    count("watch", outcome);
    on_end(std::move(outcome));
  };
  return std::make_unique<StreamedWatch>(
      std::move(streams),
      StreamedWatchRequest{.what = "WATCH " + resource_path(type, options.name_space),
                           .target = watch_target(type, options),
                           .user_agent = kUserAgent,
                           .head_timeout = options_.list_timeout,
                           // PINGs find a dead connection. A kind without any object in the
                           // cluster gets no bookmarks, so its silence means nothing.
                           .silence_max = options.timeout + kStreamEndMargin},
      credentials.token, std::move(hooks), std::move(callbacks));
}

Result<Json> RestClient::apply(const ResourceType& type, const Json& object,
                               const ApplyOptions& options, std::string_view subresource) {
  SPANWAY_ASSIGN(const ObjectKey key, key_of(type, object));
  Query query;
  query.add("fieldManager", options.field_manager).add("force", options.force ? "true" : "false");
  if (options.dry_run) query.add("dryRun", "All");
  Json intent = object;
  // The server requires both and refuses managedFields.
  intent["apiVersion"] = type.api_version();
  intent["kind"] = std::string(type.kind);
  intent["metadata"].erase("managedFields");
  return call_json(
      "apply", {.method = "PATCH",
                .target = resource_path(type, key.name_space, key.name, subresource) + query.text(),
                .body = to_text(intent),
                .content_type = kApplyPatch});
}

Result<Json> RestClient::create(const ResourceType& type, const Json& object) {
  // The path names the namespace.
  const std::string name_space = string_at(object, "metadata/namespace");
  if (type.namespaced && name_space.empty())
    return invalid_argument("a " + std::string(type.kind) + " to be created has no namespace");
  return call_json("create", {.method = "POST",
                              .target = resource_path(type, name_space) +
                                        Query().add("fieldManager", "spanway-operator").text(),
                              .body = to_text(object),
                              .content_type = kJson,
                              .repeatable = false});
}

Result<Json> RestClient::replace(const ResourceType& type, const Json& object,
                                 std::string_view subresource) {
  SPANWAY_ASSIGN(const ObjectKey key, key_of(type, object));
  return call_json("replace",
                   {.method = "PUT",
                    .target = resource_path(type, key.name_space, key.name, subresource) +
                              Query().add("fieldManager", "spanway-operator").text(),
                    .body = to_text(object),
                    .content_type = kJson});
}

Result<Json> RestClient::merge_patch(const ResourceType& type, const ObjectKey& key,
                                     const Json& patch, std::string_view subresource) {
  SPANWAY_TRY(check_key(type, key));
  return call_json("patch", {.method = "PATCH",
                             .target = resource_path(type, key.name_space, key.name, subresource) +
                                       Query().add("fieldManager", "spanway-operator").text(),
                             .body = to_text(patch),
                             .content_type = kMergePatch});
}

Status RestClient::remove(const ResourceType& type, const ObjectKey& key, const std::string& uid) {
  SPANWAY_TRY(check_key(type, key));
  Json options = {
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Background"}};
  if (!uid.empty()) options["preconditions"] = {{"uid", uid}};
  const auto answer = call("delete", {.method = "DELETE",
                                      .target = resource_path(type, key.name_space, key.name),
                                      .body = to_text(options),
                                      .content_type = kJson});
  if (answer.ok() || answer.error().code == Code::kNotFound) return ok_status();
  return answer.error();
}

Result<bool> RestClient::serves(const ResourceType& type) {
  const auto resources = call_json(
      "discover", {.method = "GET",
                   .target = (type.group.empty() ? "/api/" : "/apis/") + type.api_version(),
                   .body = {},
                   .content_type = {}});
  if (!resources.ok()) {
    if (resources.error().code == Code::kNotFound) return false;
    return resources.error();
  }
  const Json* list = find(*resources, "resources");
  if (list == nullptr || !list->is_array()) return false;
  for (const Json& entry : *list)
    if (string_at(entry, "name") == type.plural) return true;
  return false;
}

}  // namespace spanway::kube
