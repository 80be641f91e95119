#include "services/kafka-bridge/consume/request_coalescer.h"

#include <algorithm>
#include <iterator>

#include "services/lib/pipeline/share.h"

namespace spanway::kafka_bridge {

RequestCoalescer::RequestCoalescer(CoalescerOptions options, Executor& executor,
                                   std::shared_ptr<ClosableExecutor> answers_on,
                                   pipeline::Sink& sink, MemoryBudget& budget)
    : options_(options),
      executor_(executor),
      answers_on_(std::move(answers_on)),
      sink_(sink),
      budget_(budget),
      shares_(options_.in_flight_max) {}

RequestCoalescer::~RequestCoalescer() {
  for (auto& [key, bucket] : buckets_) bucket.timer.cancel();
}

void RequestCoalescer::send(DeliveryRequest request, Answer answer) {
  const std::size_t bytes = request.payload.size();
  Waiting waiting{std::move(request), std::move(answer)};
  if (options_.linger == Duration::zero() || !waiting.request.batch_id.empty() ||
      waiting.request.alone || bytes >= options_.bytes_max) {
    std::vector<Waiting> alone;
    alone.push_back(std::move(waiting));
    send(std::move(alone));
    return;
  }
  const Key key(waiting.request.signal, waiting.request.tenant);
  Bucket& found = buckets_[key];
  if (found.bytes + bytes > options_.bytes_max ||
      found.items + waiting.request.item_count > options_.items_max) {
    flush(key);
  }
  Bucket& bucket = buckets_[key];
  bucket.bytes += bytes;
  bucket.items += waiting.request.item_count;
  bucket.waiting.push_back(std::move(waiting));
  if (bucket.waiting.size() > 1) return;
  bucket.timer = executor_.post_after(options_.linger, guard_.wrap([this, key] { flush(key); }));
}

void RequestCoalescer::flush(const Key& key) {
  auto node = buckets_.extract(key);
  if (node.empty()) return;
  node.mapped().timer.cancel();
  if (!node.mapped().waiting.empty()) send(std::move(node.mapped().waiting));
}

// Without names of tenants there is one stream, which may have all.
void RequestCoalescer::send(std::vector<Waiting> parts) {
  const DeliveryRequest& first = parts.front().request;
  if (first.tenant.empty()) return send_now(std::move(parts));
  const std::string share = pipeline::share_of(first.signal, first.tenant);
  if (held_.count(share) > 0 || !shares_.has_room(share, executor_.clock().now())) {
    held_[share].push_back(std::move(parts));
  } else {
    send_now(std::move(parts));
  }
}

void RequestCoalescer::send_held() {
  const SteadyTime now = executor_.clock().now();
  for (auto it = held_.begin(); it != held_.end();) {
    while (!it->second.empty() && shares_.has_room(it->first, now)) {
      std::vector<Waiting> parts = std::move(it->second.front());
      it->second.pop_front();
      send_now(std::move(parts));
    }
    it = it->second.empty() ? held_.erase(it) : std::next(it);
  }
}

void RequestCoalescer::send_now(std::vector<Waiting> parts) {
  const DeliveryRequest& first = parts.front().request;
  shares_.take(pipeline::share_of(first.signal, first.tenant), executor_.clock().now());
  pipeline::Batch batch;
  batch.signal = first.signal;
  batch.metadata.tenant = first.tenant;
  batch.metadata.batch_id = first.batch_id;
  batch.deadline = Deadline::after(executor_.clock(), options_.send_timeout);
  batch.permit = budget_.empty_permit();  // The lanes' permits cover these bytes.
  pipeline::Pieces payload;
  for (const Waiting& part : parts) {
    payload.add(part.request.payload);
    batch.item_count += part.request.item_count;
  }
  // Called on any thread, possibly before send() returns or after our end.
  auto sent = std::make_shared<std::vector<Waiting>>(std::move(parts));
  auto answer = guard_.wrap(
      [this, sent](Result<pipeline::Outcome> result) { on_answer(*sent, std::move(result)); });
  pipeline::AckToken token([answers_on = answers_on_, answer](Result<pipeline::Outcome> result) {
    answers_on->post([answer, result = std::move(result)]() mutable { answer(std::move(result)); });
  });
  sink_.send_pieces(std::move(batch), std::move(payload), std::move(token));
}

void RequestCoalescer::on_answer(std::vector<Waiting>& parts, Result<pipeline::Outcome> result) {
  const DeliveryRequest& first = parts.front().request;
  const bool answered = result.ok() || result.error().code != Code::kDeadlineExceeded;
  shares_.give_back(pipeline::share_of(first.signal, first.tenant), answered,
                    executor_.clock().now());
  answer(parts, std::move(result));
  send_held();
}

void RequestCoalescer::answer(std::vector<Waiting>& parts, Result<pipeline::Outcome> result) {
  if (result.ok()) {
    share_out(parts, *result);
    return;
  }
  const Error& error = result.error();
  const bool about_the_data = error.refusal == Refusal::kData || error.refusal == Refusal::kUnknown;
  if (parts.size() > 1 && about_the_data) {
    for (Waiting& part : parts) {
      std::vector<Waiting> alone;
      alone.push_back(std::move(part));
      send(std::move(alone));
    }
    return;
  }
  for (Waiting& part : parts) part.answer(error);
}

void RequestCoalescer::share_out(std::vector<Waiting>& parts, const pipeline::Outcome& outcome) {
  DeliveryResult joined;
  joined.request_rejected = outcome.rejected;
  joined.message = outcome.message;
  for (const Waiting& part : parts) joined.request_items += part.request.item_count;
  std::uint64_t left = outcome.rejected;
  for (Waiting& part : parts) {
    DeliveryResult own = joined;
    own.rejected = std::min(left, part.request.item_count);
    left -= own.rejected;
    part.answer(std::move(own));
  }
}

}  // namespace spanway::kafka_bridge
