#include "services/testapp/app.h"

#include <utility>

#include "services/lib/base/hex.h"
#include "services/testapp/otlp_encoder.h"

namespace spanway::testapp {
namespace {

const char* items_word(otlp::Signal signal) {
  switch (signal) {
    case otlp::Signal::kTraces:
      return "spans";
    case otlp::Signal::kMetrics:
      return "data points";
    case otlp::Signal::kLogs:
      break;
  }
  return "log records";
}

}  // namespace

std::string describe(otlp::Signal signal, std::uint64_t items, const Delivery::Report& report) {
  const std::string what = std::to_string(items) + " " + items_word(signal);
  const std::string tries =
      report.tries > 1 ? " after " + std::to_string(report.tries) + " tries" : "";
  if (!report.answer.ok()) {
    const Error& error = report.answer.error();
    return what + " refused" + tries + ": " + std::string(to_string(error.code)) + " " +
           error.message;
  }
  const pipeline::Outcome& outcome = *report.answer;
  const std::string note = outcome.message.empty() ? "" : " (" + outcome.message + ")";
  if (outcome.rejected == 0) return what + " accepted" + tries + note;
  const std::uint64_t rejected = std::min(outcome.rejected, items);
  return std::to_string(items - rejected) + " of " + what + " accepted" + tries + note;
}

struct App::Pending {
  TraceId trace_id;
  std::array<std::string, otlp::kSignals.size()> lines;
  std::size_t open = 0;
  bool refused = false;
};

App::App(AppOptions options, Shop shop, Random random, pipeline::Sink& sink, Executor& executor,
         Print print, std::function<void()> done)
    : options_(options),
      shop_(std::move(shop)),
      random_(random),
      sink_(sink),
      executor_(executor),
      print_(std::move(print)),
      done_(std::move(done)) {}

void App::start() {
  executor_.post([this] { buy_and_wait(); });
}

void App::buy_and_wait() {
  if (pending_ < options_.pending_max) {
    buy();
  } else {
    print_("the pipeline is behind: no purchase begins until it answers");
  }
  if (options_.count != 0 && bought_ == options_.count) return;
  executor_.post_after(options_.interval, [this] { buy_and_wait(); });
}

void App::buy() {
  ++bought_;
  ++pending_;
  const Purchase purchase = shop_.buy();
  auto pending = std::make_shared<Pending>();
  pending->trace_id = purchase.trace_id;
  pending->open = otlp::kSignals.size();
  for (const otlp::Signal signal : otlp::kSignals) deliver(pending, signal, purchase.services);
}

void App::deliver(const std::shared_ptr<Pending>& pending, otlp::Signal signal,
                  const std::vector<ServiceTelemetry>& services) {
  EncodedRequest request = encode(signal, services);
  pipeline::Batch batch;
  batch.signal = signal;
  batch.payload = std::move(request.payload);
  batch.item_count = request.item_count;
  const std::uint64_t items = request.item_count;
  Delivery::start(std::move(batch), options_.delivery, Random(random_.next()), sink_, executor_,
                  [this, pending, signal, items](const Delivery::Report& report) {
                    pending->lines[otlp::index_of(signal)] = describe(signal, items, report);
                    pending->refused =
                        pending->refused || !report.answer.ok() || report.answer->rejected > 0;
                    if (--pending->open == 0) finish(*pending);
                  });
}

void App::finish(const Pending& pending) {
  std::string line = "trace " + to_hex(std::string_view(pending.trace_id.bytes.data(),
                                                        pending.trace_id.bytes.size()));
  for (std::size_t i = 0; i < pending.lines.size(); ++i)
    line += (i == 0 ? " " : ", ") + pending.lines[i];
  print_(line);
  if (pending.refused) ++refused_;
  --pending_;
  if (options_.count != 0 && bought_ == options_.count && pending_ == 0 && done_) done_();
}

}  // namespace spanway::testapp
