#include "services/demo/student/fees_consumer.h"

#include <utility>

#include "services/demo/student/demo_topics.h"
#include "services/demo/student/student.h"

namespace spanway::demo {
namespace {

std::optional<SpanContext> parent_of(const kafka::RecordView& record) {
  return extract([&record](std::string_view name) {
    for (const kafka::HeaderView& header : record.headers)
      if (header.name == name) return header.value;
    return std::string_view();
  });
}

void describe_messaging(Span& span, const char* operation, const char* topic) {
  span.set("messaging.system", "kafka");
  span.set("messaging.operation.type", operation);
  span.set("messaging.destination.name", topic);
}

}  // namespace

// One record until its offset is committed.
struct FeesConsumer::Work {
  std::int64_t offset = 0;
  Student student;
  Span span;
};

void FeesConsumer::on_assigned(const kafka::TopicPartition&, const kafka::StartPosition&) {
  parts_.on_assigned();
}

bool FeesConsumer::on_record(const kafka::TopicPartition& partition,
                             const kafka::RecordView& record) {
  if (busy_) return false;
  auto student = parse_student(record.value);
  if (!student.ok() || student->id == 0) {
    parts_.log.warn(
        "A record is no student and is left out",
        {{"offset", record.offset}, {"problem", student.ok() ? "no id" : student.error().message}});
    return true;
  }
  Span span = parts_.tracer.start(std::string("process ") + kStudentTopic,
                                  testapp::SpanKind::kConsumer, parent_of(record));
  describe_messaging(span, "process", kStudentTopic);
  busy_ = true;
  current_ = partition;
  auto work = std::make_shared<Work>(Work{record.offset, std::move(*student), std::move(span)});
  parts_.worker.post([this, work = std::move(work)] { run(work); });
  return true;
}

void FeesConsumer::run(const std::shared_ptr<Work>& work) {
  Status stored = parts_.database.set_fees(work->student.id, kFees, work->span.context());
  // A row that was deleted meanwhile gets no bill.
  if (stored.ok()) return publish(work);
  parts_.executor.post([this, work, stored = std::make_shared<Status>(std::move(stored))] {
    finished(work, *stored);
  });
}

void FeesConsumer::publish(const std::shared_ptr<Work>& work) {
  auto span = std::make_shared<Span>(parts_.tracer.start(
      std::string("send ") + kBillingTopic, testapp::SpanKind::kProducer, work->span.context()));
  describe_messaging(*span, "send", kBillingTopic);
  kafka::Record record{.topic = kBillingTopic,
                       .partition = 0,
                       .key = std::to_string(work->student.id),
                       .payload = Bytes(billing_json(work->student)),
                       .headers = {}};
  inject(span->context(), record.headers);
  parts_.producer.produce(std::move(record), [this, work, span](Status written) {
    if (!written.ok()) span->fail(written.error().message);
    span->end();
    parts_.executor.post([this, work, written = std::make_shared<Status>(std::move(written))] {
      finished(work, *written);
    });
  });
}

void FeesConsumer::finished(const std::shared_ptr<Work>& work, const Status& result) {
  const bool gone = !result.ok() && result.error().code == Code::kNotFound;
  if (result.ok() || gone) return complete(*work);
  parts_.log.warn("Setting the fees failed; trying again",
                  {{"student", work->student.id}, {"problem", result.error().message}});
  parts_.executor.post_after(kRetryWait,
                             [this, work] { parts_.worker.post([this, work] { run(work); }); });
}

void FeesConsumer::complete(const Work& work) {
  busy_ = false;
  if (current_) {
    consumer_->commit({{.partition = *current_, .offset = work.offset + 1, .metadata = ""}},
                      [this](const Status& committed, const auto&) {
                        if (!committed.ok()) on_error(committed.error());
                      });
    consumer_->resume_reading(*current_);
  }
  if (auto done = std::exchange(revoked_, nullptr)) done();
}

void FeesConsumer::on_revoked(const std::vector<kafka::TopicPartition>&,
                              std::function<void()> done) {
  if (!busy_) return done();
  revoked_ = std::move(done);
}

void FeesConsumer::on_error(const Error& error) {
  parts_.log.warn("Kafka reports an error", {{"problem", error.message}});
}

}  // namespace spanway::demo
