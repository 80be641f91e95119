#include "services/load/generator.h"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"

namespace spanway::load {

struct Generator::Shared {
  Shared(GeneratorOptions o, pipeline::Sink& t, LedgerWriter* l, const Clock& c)
      : options(std::move(o)), target(t), ledger(l), clock(c) {
    options.contents.items = static_cast<std::size_t>(options.plan.batch);
    Random random(options.seed);
    for (const otlp::Signal signal : options.signals) {
      auto& set = templates.emplace_back();
      for (std::size_t i = 0; i < std::max<std::size_t>(1, options.distinct); ++i) {
        options.contents.service = i;
        set.emplace_back(signal, options.contents, random);
      }
    }
    // The last request of a plan may be smaller.
    const Plan plan(options.plan, SteadyTime());
    if (!plan.has_rate() || plan.request_count() == 0) return;
    const std::uint64_t last = plan.request_count() - 1;
    if (plan.items_of(last) == options.plan.batch) return;
    TemplateOptions rest = options.contents;
    rest.items = static_cast<std::size_t>(plan.items_of(last));
    last_template.emplace(options.signals[last % options.signals.size()], rest, random);
  }

  const RequestTemplate& template_of(const Plan& plan, std::uint64_t request) const noexcept {
    if (last_template && request + 1 == plan.request_count()) return *last_template;
    const auto& set = templates[request % templates.size()];
    return set[request / templates.size() % set.size()];
  }

  GeneratorOptions options;
  pipeline::Sink& target;
  LedgerWriter* const ledger;
  const Clock& clock;
  std::vector<std::vector<RequestTemplate>> templates;  // One list per signal.
  std::optional<RequestTemplate> last_template;
};

// One thread, and the answers to what it has sent.
class Generator::Worker : public std::enable_shared_from_this<Worker> {
 public:
  // `plan` outlives the thread; `system_start` is the wall time of the plan's start.
  Worker(std::shared_ptr<Shared> shared, const Plan& plan, SystemTime system_start,
         std::uint64_t index)
      : shared_(std::move(shared)),
        plan_(plan),
        system_start_(system_start),
        queue_(plan,
               QueueOptions{.worker = index,
                            .workers = shared_->options.workers,
                            .open_max = shared_->options.in_flight,
                            .retry = shared_->options.retry},
               Random(shared_->options.seed + index + 1)) {}

  void run(const std::stop_token& stop) {
    const std::stop_callback on_stop(stop, [this] { stop_sending(); });
    while (const std::optional<SendQueue::Attempt> attempt = wait_for_next()) send(*attempt);
    close();
  }
  const Report& report() const noexcept { return report_; }  // After run().

 private:
  const GeneratorOptions& options() const noexcept { return shared_->options; }

  void stop_sending() {
    MutexLock lock(mutex_);
    queue_.stop();
    finish_by_ = std::min(finish_by_, shared_->clock.now() + options().timeout);
    wake_.notify_all();
  }

  // Nothing at the end.
  std::optional<SendQueue::Attempt> wait_for_next() {
    MutexLock lock(mutex_);
    while (true) {
      const SteadyTime now = shared_->clock.now();
      if (now >= finish_by_) return std::nullopt;
      if (auto attempt = queue_.next(now)) return attempt;
      if (queue_.done(now)) return std::nullopt;
      const std::optional<SteadyTime> at = queue_.wake_at();
      wake_.wait_until(mutex_, std::min(finish_by_, at.value_or(finish_by_)));
    }
  }

  void send(const SendQueue::Attempt& attempt) {
    const RequestTemplate& request = shared_->template_of(plan_, attempt.request);
    const SystemTime due = system_start_ + (attempt.due - plan_.start());
    pipeline::Batch batch;
    batch.signal = request.signal();
    batch.payload = request.stamp(options().run, plan_.first_item(attempt.request),
                                  static_cast<std::uint64_t>(due.time_since_epoch().count()));
    batch.item_count = request.items();
    batch.metadata.tenant = options().tenant;
    batch.deadline = Deadline::after(shared_->clock, options().timeout);
    {
      MutexLock lock(mutex_);
      ++report_.attempts;
      report_.bytes += batch.payload.size();
    }
    shared_->target.send(
        std::move(batch),
        pipeline::AckToken([self = shared_from_this(), attempt](Result<pipeline::Outcome> result) {
          self->answered(attempt, result);
        }));
  }

  void answered(const SendQueue::Attempt& attempt, const Result<pipeline::Outcome>& result) {
    MutexLock lock(mutex_);
    if (closed_) return;
    const SteadyTime now = shared_->clock.now();
    const Error* error = result.ok() ? nullptr : &result.error();
    if (error != nullptr) {
      ++report_.errors[error->code];
      if (report_.first_error.empty()) report_.first_error = error->message;
    }
    const bool was_full = queue_.full();
    const SendQueue::Settlement settlement = queue_.answered(attempt.request, error, now);
    if (settlement == SendQueue::Settlement::kDecided) {
      report_.took = std::max(report_.took, now - plan_.start());
      if (error != nullptr) {
        record_failure(attempt, error->code);
      } else {
        record_success(attempt, result->rejected, now);
      }
    }
    // At high rates most answers change nothing for the thread: it sleeps until the next is due.
    if (was_full || settlement == SendQueue::Settlement::kRetryLater || queue_.done(now)) {
      wake_.notify_all();
    }
  }

  void record_success(const SendQueue::Attempt& attempt, std::uint64_t rejected, SteadyTime now)
      SPANWAY_REQUIRES(mutex_) {
    LedgerEntry entry = entry_of(attempt);
    entry.rejected = std::min(rejected, entry.count);
    if (rejected > 0) entry.outcome = LedgerEntry::Outcome::kPartial;
    report_.acknowledged += entry.count - entry.rejected;
    report_.rejected += entry.rejected;
    report_.latency.record(now - attempt.due);
    record(entry);
  }

  void record_failure(const SendQueue::Attempt& attempt, Code code) SPANWAY_REQUIRES(mutex_) {
    LedgerEntry entry = entry_of(attempt);
    entry.outcome = LedgerEntry::Outcome::kFailed;
    entry.code = code;
    report_.failed += entry.count;
    record(entry);
  }

  LedgerEntry entry_of(const SendQueue::Attempt& attempt) const noexcept {
    return {.first = plan_.first_item(attempt.request), .count = plan_.items_of(attempt.request)};
  }

  void record(const LedgerEntry& entry) SPANWAY_REQUIRES(mutex_) {
    ++report_.requests;
    if (shared_->ledger != nullptr) shared_->ledger->append(entry);
  }

  // Gives up undecided requests; later answers are ignored.
  void close() {
    MutexLock lock(mutex_);
    closed_ = true;
    for (const SendQueue::Attempt& attempt : queue_.give_up()) {
      ++report_.errors[Code::kDeadlineExceeded];
      record_failure(attempt, Code::kDeadlineExceeded);
    }
    if (!plan_.has_rate()) return;
    for (std::uint64_t k = queue_.unsent_from(); k < plan_.request_count();
         k += options().workers) {
      report_.unsent += plan_.items_of(k);
    }
  }

  const std::shared_ptr<Shared> shared_;
  const Plan plan_;
  const SystemTime system_start_;
  Mutex mutex_;
  CondVar wake_;
  SendQueue queue_ SPANWAY_GUARDED_BY(mutex_);
  Report report_ SPANWAY_GUARDED_BY(mutex_);
  SteadyTime finish_by_ SPANWAY_GUARDED_BY(mutex_) = plan_.end() + shared_->options.finish_within;
  bool closed_ SPANWAY_GUARDED_BY(mutex_) = false;
};

Generator::Generator(GeneratorOptions options, pipeline::Sink& target, LedgerWriter* ledger,
                     const Clock& clock)
    : shared_(std::make_shared<Shared>(std::move(options), target, ledger, clock)) {}

Generator::~Generator() = default;

Report Generator::run(std::stop_token stop) {
  const Plan plan(shared_->options.plan, shared_->clock.now());
  const SystemTime system_start = shared_->clock.system_now();
  std::vector<std::shared_ptr<Worker>> workers;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < shared_->options.workers; ++i) {
    workers.push_back(std::make_shared<Worker>(shared_, plan, system_start, i));
    threads.push_back(start_thread(
        "load-" + std::to_string(i),
        [worker = workers.back(), stop](const std::stop_token&) { worker->run(stop); }));
  }
  threads.clear();  // Joins.
  Report report;
  report.run = shared_->options.run;
  report.rate = shared_->options.plan.rate;
  for (const auto& worker : workers) report.merge(worker->report());
  // The last request is due before the time is over; the rate holds for all of it.
  if (plan.has_rate() && report.unsent == 0) {
    report.took = std::max(report.took, shared_->options.plan.duration);
  }
  return report;
}

}  // namespace spanway::load
