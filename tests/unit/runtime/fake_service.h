// A service that does what the test says and writes down what is done to it.
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/runtime/service.h"

namespace spanway::runtime {

// Thread-safe.
class Journal {
 public:
  void write(std::string line) {
    MutexLock lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    MutexLock lock(mutex_);
    return lines_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ SPANWAY_GUARDED_BY(mutex_);
};

class FakeService final : public Service {
 public:
  FakeService(std::string name, Journal& journal) : name_(std::move(name)), journal_(journal) {}
  ~FakeService() override { journal_.write(name_ + " destroyed"); }

  Status start() override {
    journal_.write(name_ + " start");
    if (fail_start) return unavailable("no port");
    return {};
  }
  void stop_accepting() override { journal_.write(name_ + " stop"); }
  void shed_load() override { journal_.write(name_ + " shed"); }
  bool drain(Deadline) override {
    journal_.write(name_ + " drain");
    return drains;
  }
  Readiness readiness() const override {
    return ready ? Readiness{true, limit} : Readiness{false, "waiting for Kafka"};
  }
  Statusz status() const override {
    Statusz status;
    status.ready = ready;
    status.mode = name_;
    return status;
  }
  Status fatal() const override {
    if (broken) return configuration_error(Code::kFailedPrecondition, "fenced");
    return {};
  }

  bool fail_start = false;
  bool drains = true;
  std::string limit;
  std::atomic<bool> ready = true;
  std::atomic<bool> broken = false;

 private:
  const std::string name_;
  Journal& journal_;
};

}  // namespace spanway::runtime
