#include "services/query/pipeline_status.h"

#include <optional>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/query/statusz_extract.h"

namespace spanway::query {
namespace {

constexpr int kOk = 200;
constexpr const char* kPath = "/statusz";
// The longest text of an error in the answer.
constexpr std::size_t kErrorBytesMax = 300;

struct Outcome {
  std::optional<std::string> services;  // An array.
  std::string error;                    // Without them.
};

// The answers that are waited for; callbacks may come after the one who waits has gone.
struct Round {
  Mutex mutex;
  CondVar changed;
  std::vector<std::optional<Outcome>> outcomes SPANWAY_GUARDED_BY(mutex);
  std::size_t missing SPANWAY_GUARDED_BY(mutex) = 0;
};

Outcome outcome_of(const Result<http::Response>& response) {
  if (!response.ok()) return {.services = {}, .error = response.error().message};
  if (response->status != kOk)
    return {.services = {},
            .error = std::string(kPath) + " answers " + std::to_string(response->status) +
                     ": is this the admin port of a service of Spanway?"};
  auto services = statusz_extract(response->body.view());
  if (!services)
    return {.services = {}, .error = "the answer is no /statusz of a service of Spanway"};
  return {.services = std::move(services), .error = ""};
}

void end_one(Round& round, std::size_t at, Outcome outcome) {
  const MutexLock lock(round.mutex);
  round.outcomes[at] = std::move(outcome);
  if (--round.missing == 0) round.changed.notify_all();
}

}  // namespace

Result<std::unique_ptr<PipelineStatus>> PipelineStatus::create(const PipelineConfig& config,
                                                               http::IoPool& pool,
                                                               const Clock& clock) {
  std::unique_ptr<PipelineStatus> status(new PipelineStatus(clock));
  for (const auto& [name, address] : config.services) {
    auto url = http::Url::parse(address);
    if (!url.ok()) return std::move(url).error().with_context("pipeline.services." + name);
    const http::ClientOptions options{.connections_max = 1,
                                      .waiting_max = 1,
                                      .response_bytes_max = kStatuszBytesMax,
                                      .connect_timeout = kTimeout};
    SPANWAY_ASSIGN(auto client,
                   http::Client::create(std::move(url).value(), options, nullptr, pool));
    status->sources_.push_back({name, std::move(client)});
  }
  return status;
}

std::string PipelineStatus::read() {
  const MutexLock lock(mutex_);
  if (kept_.empty() || clock_.now() - read_at_ >= kKeptFor) {
    kept_ = read_all();
    read_at_ = clock_.now();
  }
  return kept_;
}

std::string PipelineStatus::read_all() {
  const auto round = std::make_shared<Round>();
  {
    const MutexLock lock(round->mutex);
    round->outcomes.resize(sources_.size());
    round->missing = sources_.size();
  }
  const Deadline deadline = Deadline::after(clock_, kTimeout);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    http::ClientRequest request;
    request.method = "GET";
    request.path = kPath;
    sources_[i].client->send(std::move(request), deadline, true,
                             [round, i](const Result<http::Response>& response) {
                               end_one(*round, i, outcome_of(response));
                             });
  }
  std::string out;
  JsonWriter json(out, kErrorBytesMax);
  json.begin_object().begin_array("services");
  const MutexLock lock(round->mutex);
  // The client answers by the deadline at the latest.
  while (round->missing > 0) round->changed.wait(round->mutex);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Outcome& outcome = *round->outcomes[i];
    json.begin_object().member("name", sources_[i].name);
    json.member("answered", outcome.services.has_value());
    if (outcome.services) {
      json.key("services").raw(*outcome.services);
    } else {
      json.member("error", outcome.error);
    }
    json.end_object();
  }
  json.end_array().end_object();
  return out;
}

}  // namespace spanway::query
