#include "services/query/api/answer_writer.h"

#include <utility>

#include "services/query/api/stream_peer.h"

namespace spanway::query {
namespace {

Error client_gone() {
  return transient_error(Code::kCancelled, "the client has closed its request")
      .with_reason("cancelled");
}

constexpr int kOk = 200;

}  // namespace

AnswerWriter::AnswerWriter(http::Responder responder, CancelToken cancel, Deadline deadline,
                           Duration stall_max)
    : responder_(std::move(responder)),
      cancel_(std::move(cancel)),
      deadline_(deadline),
      stall_max_(stall_max),
      peer_(std::make_shared<StreamPeer>(cancel_)) {}

AnswerWriter::~AnswerWriter() {
  if (begun_ && !over_) stream_.abort();
}

void AnswerWriter::add_header(std::string name, std::string value) {
  headers_.add(std::move(name), std::move(value));
}

Status AnswerWriter::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() < kBufferBytes) return {};
  if (!begun_) SPANWAY_TRY(begin());
  return flush();
}

http::Response AnswerWriter::head(int status, bool is_error) {
  http::Response response;
  response.status = status;
  response.headers = headers_;
  response.headers.add("content-type", content_type_);
  if (on_head_) on_head_(response.headers, is_error);
  return response;
}

Status AnswerWriter::begin() {
  begun_ = true;
  stream_ = responder_.start_stream(head(kOk, false), peer_,
                                    {.buffer_bytes_max = kBufferBytes, .deadline = deadline_});
  if (stream_.cancelled()) return client_gone();
  return {};
}

Status AnswerWriter::flush() {
  Bytes chunk(buffer_);
  buffer_.clear();
  while (true) {
    peer_->expect_room();
    switch (stream_.write(chunk)) {
      case http::ResponseStream::Write::kTaken:
        return {};
      case http::ResponseStream::Write::kCancelled:
        cancel_.cancel();
        return client_gone();
      case http::ResponseStream::Write::kFull:
        if (peer_->wait_for_room(stall_max_)) break;
        cancel_.cancel();
        stream_.abort();
        return client_gone();
    }
  }
}

Status AnswerWriter::finish() {
  over_ = true;
  if (!begun_) {
    http::Response response = head(kOk, false);
    response.body = Bytes(buffer_);
    responder_.send(std::move(response));
    return {};
  }
  if (!buffer_.empty()) {
    if (Status flushed = flush(); !flushed.ok()) {
      stream_.abort();
      return flushed;
    }
  }
  stream_.finish();
  return {};
}

void AnswerWriter::refuse(int status, std::string body) {
  if (over_) return;
  over_ = true;
  if (begun_) return stream_.abort();
  http::Response response = head(status, true);
  response.body = Bytes(body);
  responder_.send(std::move(response));
}

}  // namespace spanway::query
