#include "tests/fakes/grpc_backend.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>

#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/rpc/hand_over.h"

namespace spanway::fakes {
namespace {

// One unary call; deletes itself.
class Call final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Call(const GrpcAnswer& answer) : answer_(answer) {
    rpc::hand_over(this);
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    rpc::take_over(this);
    if (!ok) return;  // The library has ended the call, for a request above its limit.
    if (answer_.code != 0)
      return finish({static_cast<grpc::StatusCode>(answer_.code), answer_.message});
    const grpc::Slice slice(std::string(answer_.body_bytes, 'a'));
    response_ = grpc::ByteBuffer(&slice, 1);
    rpc::hand_over(this);
    StartWriteAndFinish(&response_, {}, grpc::Status::OK);
  }
  void OnCancel() override { finish(grpc::Status::CANCELLED); }
  void OnDone() override {
    rpc::take_over(this);
    delete this;
  }

 private:
  void finish(const grpc::Status& status) {
    rpc::hand_over(this);
    Finish(status);
  }

  const GrpcAnswer answer_;
  grpc::ByteBuffer request_, response_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(GrpcAnswer answer) : answer_(std::move(answer)) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Call(answer_);
  }

 private:
  const GrpcAnswer answer_;
};

}  // namespace

struct GrpcBackend::Impl {
  explicit Impl(Options options) : service(std::move(options.answer)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(&service);
    server = builder.BuildAndStart();
    SPANWAY_CHECK(server != nullptr && port != 0);
  }
  ~Impl() { server->Shutdown(std::chrono::system_clock::now()); }

  Service service;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

GrpcBackend::GrpcBackend(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
GrpcBackend::~GrpcBackend() = default;

std::uint16_t GrpcBackend::port() const noexcept { return static_cast<std::uint16_t>(impl_->port); }

}  // namespace spanway::fakes
