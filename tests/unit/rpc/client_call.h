// A call of the real grpc++ client, without generated code.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"

namespace spanway::rpc {

// One call of the generic client; blocks.
class ClientCall final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  ClientCall(grpc::GenericStub& stub, const std::string& path, const std::string& request,
             std::chrono::milliseconds timeout = std::chrono::seconds(10),
             const std::map<std::string, std::string>& metadata = {}) {
    for (const auto& [name, value] : metadata) context_.AddMetadata(name, value);
    context_.set_deadline(std::chrono::system_clock::now() + timeout);
    const grpc::Slice slice(request);
    request_ = grpc::ByteBuffer(&slice, 1);
    stub.PrepareBidiStreamingCall(&context_, path, {}, this);
    StartWriteLast(&request_, {});
    StartRead(&answer_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    std::vector<grpc::Slice> slices;
    std::string text;
    if (answer_.Dump(&slices).ok())
      for (const grpc::Slice& slice : slices)
        text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    MutexLock lock(mutex_);
    messages_.push_back(std::move(text));
    changed_.notify_all();
    StartRead(&answer_);
  }
  void OnDone(const grpc::Status& status) override {
    MutexLock lock(mutex_);
    status_ = status;
    changed_.notify_all();
  }
  grpc::Status wait() {
    MutexLock lock(mutex_);
    changed_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) { return status_.has_value(); });
    return *status_;
  }
  std::vector<std::string> wait_messages(std::size_t count) {
    MutexLock lock(mutex_);
    changed_.wait_for(mutex_, std::chrono::seconds(10),
                      [&, this]() SPANWAY_REQUIRES(mutex_) { return messages_.size() >= count; });
    return messages_;
  }
  void cancel() { context_.TryCancel(); }
  // Once it is over.
  std::string trailer(const std::string& name) const {
    const auto& all = context_.GetServerTrailingMetadata();
    const auto found = all.find(name);
    return found == all.end() ? "" : std::string(found->second.data(), found->second.size());
  }

 private:
  grpc::ClientContext context_;
  grpc::ByteBuffer request_, answer_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> messages_ SPANWAY_GUARDED_BY(mutex_);
  std::optional<grpc::Status> status_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::rpc
