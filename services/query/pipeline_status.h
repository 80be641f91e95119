// The state of the services that `pipeline.services` names, by their /statusz.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/http/client.h"
#include "services/query/config.h"

namespace spanway::query {

// Thread-safe. The pool and the clock outlive it.
class PipelineStatus {
 public:
  // Sends nothing yet.
  static Result<std::unique_ptr<PipelineStatus>> create(const PipelineConfig& config,
                                                        http::IoPool& pool, const Clock& clock);

  // {"services":[{"name","answered","error" or "services"}]} in the order of names. Blocks for
  // kTimeout at most, and as long again for the caller before it: all services are read beside each
  // other, at most once in kKeptFor. Not on an io thread.
  std::string read();

  static constexpr Duration kTimeout = std::chrono::seconds(2);
  static constexpr Duration kKeptFor = std::chrono::seconds(5);
  // The largest answer; a longer one is an error.
  static constexpr std::size_t kStatuszBytesMax = 512u << 10;

 private:
  struct Source {
    std::string name;
    std::unique_ptr<http::Client> client;
  };
  explicit PipelineStatus(const Clock& clock) : clock_(clock) {}
  std::string read_all();

  const Clock& clock_;
  std::vector<Source> sources_;
  // Held while they are read, so that callers at the same time share an answer.
  Mutex mutex_;
  std::string kept_ SPANWAY_GUARDED_BY(mutex_);
  SteadyTime read_at_ SPANWAY_GUARDED_BY(mutex_) = {};
};

}  // namespace spanway::query
