#include "operator/k8s/rest_transport.h"

#include <cpprest/http_client.h>
#include <openssl/ssl.h>
#include <pplx/threadpool.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "operator/k8s/status_error.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/utf8.h"

namespace spanway::kube {
namespace {

namespace streams = concurrency::streams;
using web::http::client::http_client;
using web::http::client::http_client_config;

constexpr std::size_t kPoolThreads = 4;
// A stream's reader is stopped above this.
constexpr std::size_t kStreamBytesWaiting = 1u << 20;
// Body of an answer to stream() that is an error.
constexpr std::size_t kErrorBodyBytesMax = 1u << 20;
// Our own deadlines fire first; cpprest's end abandoned requests.
constexpr Duration kLibraryMargin = std::chrono::seconds(10);

// One request under way, shared by the waiting thread and cpprest's threads; the last one frees it,
// so the waiting thread can abandon it without waiting for the library. Thread-safe.
class Exchange {
 public:
  // `stream`: above kStreamBytesWaiting the sender waits; otherwise `bytes_max` breaks it off.
  Exchange(bool stream, std::size_t bytes_max) : stream_(stream), bytes_max_(bytes_max) {}

  void head(int status, std::optional<std::chrono::milliseconds> retry_after) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    retry_after_ = retry_after;
    changed_.notify_all();
  }
  void done(std::string failure, bool connection_died) {
    const std::lock_guard lock(mutex_);
    done_ = true;
    failure_ = std::move(failure);
    connection_died_ = connection_died;
    changed_.notify_all();
  }
  // From the library: the bytes are copied. The task is done when more may come.
  pplx::task<std::size_t> put(const unsigned char* bytes, std::size_t count) {
    const std::lock_guard lock(mutex_);
    const bool flows = stream_ && (status_ == 0 || status_ == 200);
    if (abandoned_ || (!flows && body_.size() + count > bytes_max_)) {
      overflow_ = !abandoned_;
      changed_.notify_all();
      return pplx::task_from_exception<std::size_t>(std::runtime_error("answer too large"));
    }
    body_.append(reinterpret_cast<const char*>(bytes), count);
    changed_.notify_all();
    if (!flows || body_.size() < kStreamBytesWaiting) return pplx::task_from_result(count);
    drained_ = pplx::task_completion_event<std::size_t>();
    drained_count_ = count;
    return pplx::create_task(*drained_);
  }

  // State for the waiting thread. Each piece of `body` is returned once.
  struct View {
    int status = 0;
    bool done = false;
    bool overflow = false;
    bool connection_died = false;
    std::string failure;
    std::string body;
    std::optional<std::chrono::milliseconds> retry_after;
  };
  // Until the answer is complete, or until `until`.
  View wait_done(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return done_ || overflow_; });
    return take();
  }
  // Until there are bytes, an end, or a status that `status_seen` does not know; or `stop`; or
  // `until`.
  View wait_bytes(std::chrono::steady_clock::time_point until, const std::stop_token& stop,
                  bool status_seen) {
    View view;
    pplx::task_completion_event<std::size_t> drained;
    std::size_t count = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, until, [&] {
        return done_ || overflow_ || stop.stop_requested() ||
               (status_ != 0 && (!status_seen || !body_.empty()));
      });
      view = take();
      if (!drained_) return view;
      drained = *std::exchange(drained_, std::nullopt);
      count = drained_count_;
    }
    drained.set(count);  // Runs the library's continuation: not under the lock.
    return view;
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  // The waiting thread gives up. The caller closes the connection.
  void abandon() {
    std::optional<pplx::task_completion_event<std::size_t>> drained;
    {
      const std::lock_guard lock(mutex_);
      abandoned_ = true;
      body_ = {};
      drained = std::exchange(drained_, std::nullopt);
    }
    if (drained) drained->set_exception(std::make_exception_ptr(std::runtime_error("abandoned")));
  }

 private:
  View take() {
    return {.status = status_,
            .done = done_,
            .overflow = overflow_,
            .connection_died = connection_died_,
            .failure = failure_,
            // Without the status it is unknown whether the bytes are a stream or an error.
            .body = status_ == 0 ? std::string() : std::exchange(body_, {}),
            .retry_after = retry_after_};
  }

  const bool stream_;
  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int status_ = 0;
  std::optional<std::chrono::milliseconds> retry_after_;
  std::string body_;
  bool done_ = false;
  bool overflow_ = false;
  bool abandoned_ = false;
  bool connection_died_ = false;
  std::string failure_;
  std::optional<pplx::task_completion_event<std::size_t>> drained_;
  std::size_t drained_count_ = 0;
};

// The stream buffer into which cpprest writes a body. Write-only; the reading half is never called.
class ExchangeBuffer final : public streams::details::streambuf_state_manager<unsigned char> {
 public:
  explicit ExchangeBuffer(std::shared_ptr<Exchange> exchange)
      : streambuf_state_manager(std::ios_base::out), exchange_(std::move(exchange)) {}

  bool can_seek() const override { return false; }
  bool has_size() const override { return false; }
  std::size_t buffer_size(std::ios_base::openmode) const override { return 0; }
  void set_buffer_size(std::size_t, std::ios_base::openmode) override {}
  std::size_t in_avail() const override { return 0; }
  pos_type getpos(std::ios_base::openmode) const override { return pos_type(off_type(-1)); }
  utility::size64_t size() const override { return 0; }
  pos_type seekpos(pos_type, std::ios_base::openmode) override { return pos_type(off_type(-1)); }
  pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override {
    return pos_type(off_type(-1));
  }
  bool acquire(unsigned char*& bytes, std::size_t& count) override {
    bytes = nullptr;
    count = 0;
    return false;
  }
  void release(unsigned char*, std::size_t) override {}

 private:
  pplx::task<bool> _sync() override { return pplx::task_from_result(true); }
  pplx::task<int_type> _putc(unsigned char byte) override {
    return exchange_->put(&byte, 1).then([byte](std::size_t) { return int_type{byte}; });
  }
  pplx::task<std::size_t> _putn(const unsigned char* bytes, std::size_t count) override {
    return exchange_->put(bytes, count);
  }
  pplx::task<std::size_t> _putn(const unsigned char* bytes, std::size_t count, bool) override {
    return exchange_->put(bytes, count);
  }
  unsigned char* _alloc(std::size_t) override { return nullptr; }
  void _commit(std::size_t) override {}
  pplx::task<int_type> _bumpc() override { return pplx::task_from_result(traits::eof()); }
  int_type _sbumpc() override { return traits::eof(); }
  pplx::task<int_type> _getc() override { return pplx::task_from_result(traits::eof()); }
  int_type _sgetc() override { return traits::eof(); }
  pplx::task<int_type> _nextc() override { return pplx::task_from_result(traits::eof()); }
  pplx::task<int_type> _ungetc() override { return pplx::task_from_result(traits::eof()); }
  pplx::task<std::size_t> _getn(unsigned char*, std::size_t) override {
    return pplx::task_from_result<std::size_t>(0);
  }
  std::size_t _scopy(unsigned char*, std::size_t) override { return 0; }

  const std::shared_ptr<Exchange> exchange_;
};

// Once for the process: cpprest would start 40 threads.
void start_pool() {
  static std::once_flag once;
  std::call_once(once, [] {
    try {
      crossplat::threadpool::initialize_with_threads(kPoolThreads);
    } catch (const std::exception&) {
      // The pool was already started by another user of the library.
    }
  });
}

void set_tls(boost::asio::ssl::context& context, const Credentials& credentials) {
  using boost::asio::ssl::context_base;
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (!credentials.ca_pem.empty()) {
    // Only this authority, not those of the system as well. The context takes the store over.
    SSL_CTX_set_cert_store(context.native_handle(), X509_STORE_new());
    context.add_certificate_authority(boost::asio::buffer(credentials.ca_pem));
  }
  if (credentials.certificate_pem.empty()) return;
  context.use_certificate_chain(boost::asio::buffer(credentials.certificate_pem));
  context.use_private_key(boost::asio::buffer(credentials.key_pem.reveal()), context_base::pem);
}

// A broken connection before any answer, as against one that never came about.
bool died_underway(const std::string& message) {
  return message.find("Failed to read HTTP status line") != std::string::npos ||
         message.find("Failed to write request") != std::string::npos;
}

Error no_answer(const std::string& what, const Exchange::View& view) {
  if (view.overflow)
    return unknown_error(Code::kResourceExhausted, what + ": the answer is too large")
        .with_reason("answer_too_large");
  std::string message = what + ": " + view.failure;
  if (view.failure.find("SSL handshake") != std::string::npos)
    message +=
        " (the server's certificate is not signed by the configured authority or is for "
        "another name, or the server refuses ours)";
  return unavailable(truncate_utf8(message, kErrorMessageBytesMax)).with_reason("no_connection");
}

}  // namespace

struct RestTransport::Impl {
  std::string server;
  std::string host_header;  // Only when the certificate's name is not the host's.
  RestTransportOptions options;
  http_client_config config;
  std::unique_ptr<http_client> client;

  web::http::http_request make(const HttpRequest& request, const Secret& token,
                               const std::shared_ptr<Exchange>& exchange) const {
    web::http::http_request out(request.method);
    out.set_request_uri(web::uri(request.target));
    auto& headers = out.headers();
    // cpprest checks the certificate against this name, port excluded.
    if (!host_header.empty()) headers.add("Host", host_header);
    headers.add("Accept", "application/json");
    headers.add("User-Agent", options.user_agent);
    if (!token.empty()) headers.add("Authorization", "Bearer " + token.reveal());
    if (!request.content_type.empty()) {
      // As bytes: a string's stream is cast to one of another type inside cpprest.
      out.set_body(std::vector<unsigned char>(request.body.begin(), request.body.end()));
      headers.set_content_type(request.content_type);
    }
    const std::shared_ptr<streams::details::basic_streambuf<unsigned char>> sink =
        std::make_shared<ExchangeBuffer>(exchange);
    out.set_response_stream(streams::streambuf<unsigned char>(sink).create_ostream());
    return out;
  }

  // Starts the request; reports to `exchange`. Throws nothing.
  void start(http_client& through, const HttpRequest& request, const Secret& token,
             const std::shared_ptr<Exchange>& exchange, const pplx::cancellation_token& cancel) {
    const auto failed = [exchange](const std::string& why, bool died) {
      exchange->done(why.empty() ? "the connection failed" : why, died);
    };
    try {
      through.request(make(request, token, exchange), cancel)
          .then([exchange](web::http::http_response response) {
            std::string wait;
            response.headers().match("Retry-After", wait);
            exchange->head(response.status_code(), parse_retry_after(wait));
            return response.content_ready();
          })
          .then([exchange, failed](const pplx::task<web::http::http_response>& all) {
            try {
              all.get();
              exchange->done({}, false);
            } catch (const std::exception& error) {
              failed(error.what(), died_underway(error.what()));
            } catch (...) {
              failed({}, false);
            }
          });
    } catch (const std::exception& error) {
      failed(error.what(), false);
    }
  }

  Result<HttpAnswer> send_once(const HttpRequest& request, const Secret& token,
                               std::chrono::steady_clock::time_point until, bool& died) {
    const std::string what = request.method + " " + request.target;
    auto exchange = std::make_shared<Exchange>(false, options.answer_bytes_max);
    pplx::cancellation_token_source cancel;
    start(*client, request, token, exchange, cancel.get_token());
    Exchange::View view = exchange->wait_done(until);
    died = view.connection_died;
    if (view.done && view.failure.empty())
      return HttpAnswer{view.status, std::move(view.body), view.retry_after};
    exchange->abandon();
    cancel.cancel();
    if (view.done || view.overflow) return no_answer(what, view);
    return transient_error(Code::kDeadlineExceeded, what + ": no answer in time")
        .with_reason("no_answer");
  }
};

RestTransport::RestTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RestTransport::~RestTransport() = default;

Result<std::unique_ptr<RestTransport>> RestTransport::create(const Cluster& cluster,
                                                             const Credentials& credentials,
                                                             RestTransportOptions options) {
  start_pool();
  auto impl = std::make_unique<Impl>();
  impl->server = cluster.server;
  impl->host_header = cluster.tls_server_name;
  impl->options = std::move(options);
  impl->config.set_timeout(std::max(impl->options.request_timeout, impl->options.longest_timeout) +
                           kLibraryMargin);
  impl->config.set_max_redirects(0);
  impl->config.set_proxy(web::web_proxy(web::web_proxy::disabled));
  impl->config.set_validate_certificates(!cluster.insecure_skip_tls_verify);
  impl->config.set_ssl_context_callback(
      [credentials](boost::asio::ssl::context& context) { set_tls(context, credentials); });
  try {
    // Once here, so that a broken certificate shows now and not at each connection.
    boost::asio::ssl::context probe(boost::asio::ssl::context::sslv23);
    set_tls(probe, credentials);
    impl->client = std::make_unique<http_client>(web::uri(impl->server), impl->config);
  } catch (const std::exception& error) {
    return configuration_error(
        Code::kInvalidArgument,
        "the access to the API server " + impl->server + " cannot be used: " + error.what());
  }
  return std::unique_ptr<RestTransport>(new RestTransport(std::move(impl)));
}

Result<HttpAnswer> RestTransport::send(const HttpRequest& request, const Secret& token) {
  const Duration timeout =
      request.timeout > Duration::zero() ? request.timeout : impl_->options.request_timeout;
  const auto until = std::chrono::steady_clock::now() + timeout;
  bool died = false;
  auto answer = impl_->send_once(request, token, until, died);
  if (answer.ok() || !died || !request.repeatable) return answer;
  return impl_->send_once(request, token, until, died);
}

Result<HttpAnswer> RestTransport::stream(const HttpRequest& request, const Secret& token,
                                         Duration silence_max, const std::stop_token& stop,
                                         const std::function<bool(std::string_view)>& on_bytes) {
  const std::string what = request.method + " " + request.target;
  auto exchange = std::make_shared<Exchange>(true, kErrorBodyBytesMax);
  pplx::cancellation_token_source cancel;
  std::unique_ptr<http_client> own;
  try {
    http_client_config config = impl_->config;
    config.set_timeout(std::max(silence_max, impl_->options.longest_timeout) + kLibraryMargin);
    own = std::make_unique<http_client>(web::uri(impl_->server), config);
  } catch (const std::exception& error) {
    return unavailable(what + ": " + error.what());
  }
  impl_->start(*own, request, token, exchange, cancel.get_token());
  const std::stop_callback wake(stop, [&exchange] { exchange->wake(); });

  HttpAnswer answer;
  const auto end = [&](Result<HttpAnswer> result) {
    exchange->abandon();
    cancel.cancel();
    return result;
  };
  auto until = std::chrono::steady_clock::now() + impl_->options.longest_timeout;
  while (true) {
    Exchange::View view = exchange->wait_bytes(until, stop, answer.status != 0);
    if (stop.stop_requested())
      return end(Error{.code = Code::kCancelled,
                       .refusal = Refusal::kTransient,
                       .message = what + ": stopped",
                       .reason = "stopped"});
    const bool news = !view.body.empty() || view.status != answer.status;
    answer.status = view.status;
    answer.retry_after = view.retry_after;
    if (view.status != 0 && view.status != 200) answer.body += view.body;
    if (view.status == 200 && !view.body.empty() && !on_bytes(view.body))
      return end(std::move(answer));
    if (view.overflow || (view.done && !view.failure.empty())) return end(no_answer(what, view));
    if (view.done) return end(std::move(answer));
    const auto now = std::chrono::steady_clock::now();
    if (!news && now >= until)
      return end(transient_error(Code::kDeadlineExceeded, what + ": silent for too long")
                     .with_reason("watch_silent"));
    if (news) until = now + silence_max;
  }
}

}  // namespace spanway::kube
