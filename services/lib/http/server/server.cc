#include "services/lib/http/server.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <utility>
#include <vector>

#include "services/lib/http/net/io_thread.h"
#include "services/lib/http/net/tls_context.h"
#include "services/lib/http/server/connection_quota.h"
#include "services/lib/http/server/listener.h"
#include "services/lib/http/server/open_files.h"

namespace spanway::http {
namespace {

using boost::asio::ip::tcp;
using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr int kBacklog = 1024;

Error listen_error(const ServerOptions& options, const boost::system::error_code& error) {
  return configuration_error(Code::kUnavailable,
                             "listener " + options.name + ": cannot listen on " + options.host +
                                 ":" + std::to_string(options.port) + ": " + error.message())
      .with_reason("http_listen");
}

Result<tcp::endpoint> resolve(const ServerOptions& options, boost::asio::io_context& context) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(options.host, error);
  if (!error) return tcp::endpoint(address, options.port);
  const auto found = tcp::resolver(context).resolve(options.host, std::to_string(options.port),
                                                    tcp::resolver::passive, error);
  if (error || found.empty()) return listen_error(options, error);
  return found.begin()->endpoint();
}

Result<tcp::acceptor> bind_acceptor(const ServerOptions& options, const tcp::endpoint& endpoint,
                                    boost::asio::io_context& context, bool shared) {
  boost::system::error_code error;
  tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && shared) acceptor.set_option(ReusePort(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (error) return listen_error(options, error);
  return acceptor;
}

// Connections beyond the process's open files could not be taken, and no idle one would make room.
ServerOptions with_open_files(ServerOptions options) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    options.limits.connections_max =
        connections_that_fit(options.limits.connections_max, files.rlim_cur);
  }
  return options;
}

class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, std::shared_ptr<TlsServerContext> tls, IoPool& pool,
             Handler& handler, telemetry::Telemetry telemetry)
      : connections_configured_(options.limits.connections_max),
        options_(with_open_files(std::move(options))),
        // There is no other implementation.
        tls_(std::static_pointer_cast<TlsServerContextImpl>(std::move(tls))),
        pool_(pool.impl()),
        handler_(handler),
        events_(telemetry, options_.name),
        quota_(options_.limits) {}
  ~ServerImpl() override { abort_all(); }

  Status bind();
  void start() override;
  std::uint16_t port() const noexcept override { return endpoint_.port(); }
  void shed_connections() override;
  void stop_accepting() override;
  bool drain(Deadline deadline) override;

 private:
  void add_listener(IoThread& thread, tcp::acceptor acceptor);
  std::size_t abort_all();

  const std::size_t connections_configured_;
  const ServerOptions options_;
  const std::shared_ptr<TlsServerContextImpl> tls_;
  IoPool::Impl& pool_;
  Handler& handler_;
  ServerEvents events_;
  ConnectionQuota quota_;
  tcp::endpoint endpoint_;
  // One per io thread, in the pool's order.
  std::vector<std::shared_ptr<Listener>> listeners_;
};

Status ServerImpl::bind() {
  auto& first = *pool_.threads.front();
  SPANWAY_ASSIGN(endpoint_, resolve(options_, first.context()));
  const bool shared = pool_.threads.size() > 1;
  if (shared && endpoint_.port() != 0) {
    // SO_REUSEPORT would also let us onto the port of another process of this user.
    SPANWAY_TRY(bind_acceptor(options_, endpoint_, first.context(), false));
  }
  // No acceptor listens before all are bound: the kernel may refuse the port to a socket that is
  // bound while a client's connection to an earlier one is being set up.
  std::vector<tcp::acceptor> acceptors;
  boost::system::error_code error;
  for (auto& thread : pool_.threads) {
    SPANWAY_ASSIGN(auto acceptor, bind_acceptor(options_, endpoint_, thread->context(), shared));
    endpoint_ = acceptor.local_endpoint(error);
    if (error) return listen_error(options_, error);
    acceptors.push_back(std::move(acceptor));
  }
  for (std::size_t i = 0; i < acceptors.size(); ++i) {
    acceptors[i].listen(kBacklog, error);
    if (error) return listen_error(options_, error);
    add_listener(*pool_.threads[i], std::move(acceptors[i]));
  }
  return ok_status();
}

void ServerImpl::add_listener(IoThread& thread, tcp::acceptor acceptor) {
  const ConnectionDeps deps{options_, handler_, events_, thread};
  Listener::TransportFactory factory = make_plain_transport;
  if (tls_ != nullptr)
    factory = [tls = tls_, offer = AlpnOffer{options_.http1, options_.http2}](int fd) {
      return make_tls_server_transport(fd, tls->current(), offer);
    };
  listeners_.push_back(std::make_shared<Listener>(deps, std::move(acceptor), quota_,
                                                  std::move(factory), tls_ != nullptr));
}

void ServerImpl::start() {
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    listeners_[i]->set_next(listeners_[(i + 1) % listeners_.size()], listeners_.size());
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    pool_.threads[i]->post([listener = listeners_[i]] { listener->start(); });
  events_.listening(options_.host, port(), tls_ != nullptr);
  if (options_.limits.connections_max < connections_configured_)
    events_.connections_lowered(connections_configured_, options_.limits.connections_max);
}

void ServerImpl::shed_connections() {
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    pool_.threads[i]->post([listener = listeners_[i]] { listener->shed(); });
}

void ServerImpl::stop_accepting() {
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    pool_.threads[i]->post([listener = listeners_[i]] { listener->stop_accepting(); });
}

bool ServerImpl::drain(Deadline deadline) {
  // stop_accepting() only posts. Before it has run, a connection could still come in and be missed.
  for (auto& thread : pool_.threads) thread->run_and_wait([] {});
  if (!quota_.wait_until_empty(deadline, pool_.threads.front()->clock())) {
    return abort_all() == 0;
  }
  return true;
}

std::size_t ServerImpl::abort_all() {
  std::size_t aborted = 0;
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    pool_.threads[i]->run_and_wait([&] { aborted += listeners_[i]->abort_all(); });
  return aborted;
}

}  // namespace

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    Responder old(std::move(*this));
    target_ = std::move(other.target_);
  }
  return *this;
}

Responder::~Responder() {
  if (target_ == nullptr) return;
  Response response;
  response.status = 500;
  target_->respond(std::move(response));
}

void Responder::send(Response response) noexcept {
  if (const auto target = std::move(target_)) target->respond(std::move(response));
}

void Responder::on_peer_gone(std::function<void()> callback) {
  if (target_ != nullptr) target_->on_peer_gone(std::move(callback));
}

ResponseStream Responder::start_stream(Response head, std::shared_ptr<StreamObserver> observer,
                                       StreamOptions options) {
  const auto target = std::move(target_);
  if (target == nullptr) return ResponseStream();
  return target->start_stream(std::move(head), std::move(observer), std::move(options));
}

ResponseStream Responder::Target::start_stream(Response, std::shared_ptr<StreamObserver>,
                                               StreamOptions) {
  Response response;
  response.status = 500;
  respond(std::move(response));
  return ResponseStream();
}

WebSocket Responder::accept_web_socket(std::shared_ptr<WebSocketObserver> observer,
                                       WebSocketOptions options) {
  const auto target = std::move(target_);
  if (target == nullptr) return WebSocket();
  return target->accept_web_socket(std::move(observer), std::move(options));
}

WebSocket Responder::Target::accept_web_socket(std::shared_ptr<WebSocketObserver>,
                                               WebSocketOptions) {
  Response response;
  response.status = 501;
  respond(std::move(response));
  return WebSocket();
}

Result<std::unique_ptr<Server>> Server::create(ServerOptions options,
                                               std::shared_ptr<TlsServerContext> tls, IoPool& pool,
                                               Handler& handler, telemetry::Telemetry telemetry) {
  auto server =
      std::make_unique<ServerImpl>(std::move(options), std::move(tls), pool, handler, telemetry);
  SPANWAY_TRY(server->bind());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace spanway::http
