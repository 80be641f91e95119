#include "services/lib/sinks/file/file_sink.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "services/lib/base/loop.h"
#include "services/lib/base/mutex.h"
#include "services/lib/sinks/batch_json.h"
#include "services/lib/sinks/events.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {
namespace {

constexpr std::string_view kPlaceholder = "{signal}";

Result<std::string> to_line(pipeline::Batch& batch) {
  if (batch.payload.empty()) return std::string();
  SPANWAY_ASSIGN(std::string line, batch_to_json(batch));
  line.push_back('\n');
  batch.payload = Bytes();
  batch.permit.shrink_to(line.size());
  return line;
}

}  // namespace

std::string file_path_for(const std::string& pattern, otlp::Signal signal) {
  std::string path = pattern;
  const std::size_t at = path.find(kPlaceholder);
  if (at != std::string::npos) path.replace(at, kPlaceholder.size(), otlp::to_string(signal));
  return path;
}

class FileSink::Writer {
 public:
  Writer(FileSinkOptions options, const FileSinkDeps& deps);
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept;
  bool drain(Deadline deadline);
  pipeline::SinkHealth health() const { return state_->health(); }

 private:
  struct Entry {
    std::shared_ptr<InFlightBatch> delivery;
    otlp::Signal signal = otlp::Signal::kTraces;
    std::string line;
    Deadline deadline = Deadline::never();
    Permit permit;
  };
  Status enqueue(Entry& entry);
  void answer_at_deadline(const Entry& entry);
  // On the writer's thread:
  void flush();
  void write_group(std::vector<Entry>& group);
  void sync_later();
  void sync_all();

  const FileSinkOptions options_;
  FileOps& files_ops_;
  Executor& timers_;
  const Clock& clock_;
  const FileEvents events_;
  const std::shared_ptr<SinkState> state_;
  // Only the writer's thread touches what they point to.
  std::vector<std::unique_ptr<RotatingFile>> files_;
  std::array<RotatingFile*, 3> file_of_{};
  bool sync_planned_ = false;

  Mutex mutex_;
  std::vector<Entry> waiting_ SPANWAY_GUARDED_BY(mutex_);
  bool flush_planned_ SPANWAY_GUARDED_BY(mutex_) = false;
  // Bytes of waiting_ and of the group being written.
  std::size_t queued_bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t queued_batches_ SPANWAY_GUARDED_BY(mutex_) = 0;
  // Last, so that the thread ends before anything it uses.
  Loop loop_;
};

FileSink::Writer::Writer(FileSinkOptions options, const FileSinkDeps& deps)
    : options_(std::move(options)),
      files_ops_(deps.files),
      timers_(deps.timers),
      clock_(deps.clock),
      events_(deps.telemetry),
      state_(std::make_shared<SinkState>(options_.queue_batches_max, deps.clock)),
      loop_("file-sink", deps.clock) {
  std::map<std::string, RotatingFile*> by_path;
  for (const otlp::Signal signal : otlp::kSignals) {
    RotatingFile*& file = by_path[file_path_for(options_.path, signal)];
    if (file == nullptr) {
      files_.push_back(std::make_unique<RotatingFile>(
          file_path_for(options_.path, signal), options_.rotation, options_.fsync != Fsync::kNever,
          files_ops_, clock_, events_));
      file = files_.back().get();
    }
    file_of_[otlp::index_of(signal)] = file;
  }
}

Status FileSink::Writer::enqueue(Entry& entry) {
  MutexLock lock(mutex_);
  if (queued_batches_ >= options_.queue_batches_max ||
      (queued_batches_ > 0 && queued_bytes_ + entry.line.size() > options_.queue_bytes_max)) {
    return transient_error(Code::kResourceExhausted,
                           "The queue of the file sink is full: the disk is slower than the input")
        .with_retry_after(std::chrono::milliseconds(1000))
        .with_reason("sink_full");
  }
  ++queued_batches_;
  queued_bytes_ += entry.line.size();
  events_.queued(queued_bytes_);
  waiting_.push_back(std::move(entry));
  if (!std::exchange(flush_planned_, true)) loop_.post([this] { flush(); });
  return {};
}

// The disk may hang; the sender is answered all the same. The entry stays until it is written.
void FileSink::Writer::answer_at_deadline(const Entry& entry) {
  if (entry.deadline.is_never()) return;
  timers_.post_after(
      entry.deadline.remaining(clock_.now()),
      [delivery = std::weak_ptr<InFlightBatch>(entry.delivery), path = options_.path] {
        if (const auto alive = delivery.lock()) alive->finish(deadline_passed(path));
      });
}

void FileSink::Writer::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), state_);
  if (!delivery) return;
  auto line = to_line(batch);
  if (!line.ok()) return delivery->finish(std::move(line).error(), /*from_destination=*/false);
  Entry entry{delivery, batch.signal, std::move(line).value(), batch.deadline,
              std::move(batch.permit)};
  answer_at_deadline(entry);
  if (auto queued = enqueue(entry); !queued.ok())
    delivery->finish(std::move(queued).error(), /*from_destination=*/false);
}

void FileSink::Writer::flush() {
  std::vector<Entry> group;
  {
    MutexLock lock(mutex_);
    group.swap(waiting_);
    flush_planned_ = false;
  }
  std::size_t bytes = 0;
  for (const Entry& entry : group) bytes += entry.line.size();
  const std::size_t batches = group.size();
  write_group(group);
  group.clear();
  MutexLock lock(mutex_);
  queued_batches_ -= batches;
  queued_bytes_ -= bytes;
  events_.queued(queued_bytes_);
}

void FileSink::Writer::write_group(std::vector<Entry>& group) {
  std::vector<std::pair<InFlightBatch*, RotatingFile*>> written;
  for (Entry& entry : group) {
    if (entry.delivery->finished()) continue;  // Its deadline has passed: it will come again.
    if (entry.deadline.passed(clock_.now())) {
      entry.delivery->finish(deadline_passed(options_.path));
      continue;
    }
    RotatingFile* file = file_of_[otlp::index_of(entry.signal)];
    if (auto appended = file->append(entry.line); !appended.ok()) {
      events_.failed(appended.error());
      entry.delivery->finish(std::move(appended).error());
      continue;
    }
    events_.written(entry.line.size());
    written.emplace_back(entry.delivery.get(), file);
  }
  std::map<RotatingFile*, Status> synced;
  for (const auto& [delivery, file] : written) {
    if (options_.fsync == Fsync::kAlways && !synced.contains(file)) {
      Status status = file->sync();
      if (!status.ok()) events_.failed(status.error());
      synced.emplace(file, std::move(status));
    }
    const auto found = synced.find(file);
    if (found != synced.end() && !found->second.ok()) {
      delivery->finish(Error(found->second.error()));
    } else {
      delivery->finish(pipeline::Outcome{});
    }
  }
  if (options_.fsync == Fsync::kInterval) sync_later();
}

void FileSink::Writer::sync_later() {
  if (std::exchange(sync_planned_, true)) return;
  loop_.post_after(options_.fsync_interval, [this] {
    sync_planned_ = false;
    sync_all();
  });
}

void FileSink::Writer::sync_all() {
  for (const auto& file : files_) {
    if (!file->dirty()) continue;
    if (const auto status = file->sync(); !status.ok()) events_.failed(status.error());
  }
}

bool FileSink::Writer::drain(Deadline deadline) {
  const bool idle = state_->drain(deadline);
  if (idle && options_.fsync == Fsync::kInterval) loop_.post([this] { sync_all(); });
  return idle;
}

FileSink::FileSink(FileSinkOptions options, const FileSinkDeps& deps)
    : writer_(std::make_unique<Writer>(std::move(options), deps)) {}
FileSink::~FileSink() = default;

void FileSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  writer_->send(std::move(batch), std::move(token));
}
bool FileSink::drain(Deadline deadline) { return writer_->drain(deadline); }
pipeline::SinkHealth FileSink::health() const { return writer_->health(); }

}  // namespace spanway::sinks
