#include "services/lib/http/client.h"

#include <algorithm>
#include <utility>

#include "services/lib/http/client/client_core.h"
#include "services/lib/http/request_target.h"

namespace spanway::http {
namespace {

// Ours, so never the data's fault.
Error request_error(std::string_view what) {
  return configuration_error(Code::kInvalidArgument, "http client: " + std::string(what))
      .with_reason("request_invalid");
}

bool is_method(std::string_view method) noexcept {
  return !method.empty() &&
         std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

Result<std::string> make_head(const ClientOrigin& origin, const ClientRequest& request) {
  if (!is_method(request.method)) return request_error("the method is malformed");
  const std::string& path = request.path.empty() ? origin.url.path : request.path;
  if (!parse_request_target(path).ok() || path.front() != '/')
    return request_error("the path is malformed");
  std::string head =
      request.method + " " + path + " HTTP/1.1\r\nhost: " + origin.authority + "\r\n";
  for (const auto& [name, value] : request.headers.fields()) {
    if (!is_sendable_field(name, value)) return request_error("a header is malformed");
    if (name == "host" || name == "content-length" || name == "transfer-encoding") continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  const bool has_body =
      !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (has_body) head += "content-length: " + std::to_string(request.body.size()) + "\r\n";
  head += "\r\n";
  return head;
}

class ClientImpl final : public Client {
 public:
  ClientImpl(ClientTarget target, IoThread& thread)
      : core_(std::make_shared<ClientCore>(std::move(target), thread)) {}
  ~ClientImpl() override {
    core_->thread().run_and_wait([this] { core_->close(); });
  }

  void send(ClientRequest request, Deadline deadline, bool idempotent, Callback callback) override {
    auto head = make_head(core_->target(), request);
    if (!head.ok()) {
      // From the io thread like every answer.
      core_->thread().post(
          [error = head.error(), callback = std::move(callback)] { callback(error); });
      return;
    }
    core_->send(std::make_shared<ClientCall>(std::move(request.method), std::move(head).value(),
                                             std::move(request.body), deadline, idempotent,
                                             std::move(request.share), std::move(callback)));
  }

  ClientStream stream(ClientRequest request, Deadline deadline, bool idempotent,
                      std::shared_ptr<ResponseObserver> observer) override {
    auto head = make_head(core_->target(), request);
    auto end = [observer](Result<Response> result) {
      observer->on_end(result.ok() ? ok_status() : Status(std::move(result).error()));
    };
    if (!head.ok()) {
      core_->thread().post([error = head.error(), end = std::move(end)] { end(error); });
      return {};
    }
    auto call = std::make_shared<ClientCall>(
        std::move(request.method), std::move(head).value(), std::move(request.body), deadline,
        idempotent, std::move(request.share), std::move(end), std::move(observer));
    ClientStream stream(core_, call);
    core_->send(std::move(call));
    return stream;
  }

 private:
  const std::shared_ptr<ClientCore> core_;
};

}  // namespace

ClientStream& ClientStream::operator=(ClientStream&& other) noexcept {
  if (this != &other) {
    cancel();
    core_ = std::move(other.core_);
    call_ = std::move(other.call_);
  }
  return *this;
}

ClientStream::~ClientStream() { cancel(); }

void ClientStream::resume() {
  const auto core = core_.lock();
  if (!core) return;
  core->thread().post([weak_core = core_, weak_call = call_] {
    const auto alive = weak_core.lock();
    const auto call = weak_call.lock();
    if (alive && call) alive->resume(call);
  });
}

void ClientStream::cancel() {
  const auto core = core_.lock();
  if (!core || call_.expired()) return;
  core->thread().post([weak_core = core_, weak_call = call_] {
    const auto alive = weak_core.lock();
    const auto call = weak_call.lock();
    if (alive && call) alive->cancel(call);
  });
}

Result<std::unique_ptr<Client>> Client::create(Url url, ClientOptions options,
                                               std::shared_ptr<TlsClientContext> tls,
                                               IoPool& pool) {
  if (options.connections_max == 0)
    return configuration_error(Code::kInvalidArgument, "http client: connections_max is 0");
  SPANWAY_ASSIGN(auto origin, make_origin(std::move(url), std::move(tls), "http client"));
  ClientTarget target{std::move(origin), options};
  const std::size_t index = pool.impl().next.fetch_add(1, std::memory_order_relaxed);
  return std::unique_ptr<Client>(
      std::make_unique<ClientImpl>(std::move(target), pool.impl().at(index)));
}

}  // namespace spanway::http
