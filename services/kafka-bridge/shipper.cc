#include "services/kafka-bridge/shipper.h"

#include <algorithm>

namespace spanway::kafka_bridge {

Shipper::Shipper(ShipperOptions options, Executor& executor, std::shared_ptr<Mailbox> mailbox,
                 pipeline::Sink& sink, MemoryBudget& budget)
    : options_(options),
      executor_(executor),
      mailbox_(std::move(mailbox)),
      sink_(sink),
      budget_(budget) {}

Shipper::~Shipper() {
  for (auto& [key, bucket] : buckets_) bucket.timer.cancel();
}

void Shipper::ship(Shipment shipment, Answer answer) {
  const std::size_t bytes = shipment.payload.size();
  Waiting waiting{std::move(shipment), std::move(answer)};
  if (options_.linger == Duration::zero() || !waiting.shipment.batch_id.empty() ||
      waiting.shipment.alone || bytes >= options_.bytes_max) {
    std::vector<Waiting> alone;
    alone.push_back(std::move(waiting));
    send(std::move(alone));
    return;
  }
  const Key key(waiting.shipment.signal, waiting.shipment.tenant);
  Bucket& found = buckets_[key];
  if (found.bytes + bytes > options_.bytes_max ||
      found.items + waiting.shipment.item_count > options_.items_max) {
    flush(key);
  }
  Bucket& bucket = buckets_[key];
  bucket.bytes += bytes;
  bucket.items += waiting.shipment.item_count;
  bucket.waiting.push_back(std::move(waiting));
  if (bucket.waiting.size() > 1) return;
  bucket.timer = executor_.post_after(options_.linger, [this, key, alive = std::weak_ptr(alive_)] {
    if (alive.lock()) flush(key);
  });
}

void Shipper::flush(const Key& key) {
  auto node = buckets_.extract(key);
  if (node.empty()) return;
  node.mapped().timer.cancel();
  if (!node.mapped().waiting.empty()) send(std::move(node.mapped().waiting));
}

void Shipper::send(std::vector<Waiting> parts) {
  const Shipment& first = parts.front().shipment;
  pipeline::Batch batch;
  batch.signal = first.signal;
  batch.metadata.tenant = first.tenant;
  batch.metadata.batch_id = first.batch_id;
  batch.deadline = Deadline::after(executor_.clock(), options_.send_timeout);
  batch.permit = budget_.empty_permit();  // The lanes' permits cover these bytes.
  pipeline::Pieces payload;
  for (const Waiting& part : parts) {
    payload.add(part.shipment.payload);
    batch.item_count += part.shipment.item_count;
  }
  // The answer comes on any thread, and may come before send() returns, or after our end.
  auto sent = std::make_shared<std::vector<Waiting>>(std::move(parts));
  pipeline::AckToken token([this, mailbox = mailbox_, sent,
                            alive = std::weak_ptr(alive_)](Result<pipeline::Outcome> result) {
    mailbox->post([this, sent, alive, answer = std::move(result)]() mutable {
      if (alive.lock()) on_answer(*sent, std::move(answer));
    });
  });
  sink_.send_pieces(std::move(batch), std::move(payload), std::move(token));
}

void Shipper::on_answer(std::vector<Waiting>& parts, Result<pipeline::Outcome> result) {
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

void Shipper::share_out(std::vector<Waiting>& parts, const pipeline::Outcome& outcome) {
  Shipped whole;
  whole.request_rejected = outcome.rejected;
  whole.message = outcome.message;
  for (const Waiting& part : parts) whole.request_items += part.shipment.item_count;
  std::uint64_t left = outcome.rejected;
  for (Waiting& part : parts) {
    Shipped own = whole;
    own.rejected = std::min(left, part.shipment.item_count);
    left -= own.rejected;
    part.answer(std::move(own));
  }
}

}  // namespace spanway::kafka_bridge
