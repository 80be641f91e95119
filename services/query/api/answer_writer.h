// An HTTP answer as a query worker writes it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/server.h"
#include "services/query/store/cancel_token.h"

namespace spanway::query {

class StreamPeer;

// Belongs to one worker, whom write() blocks while the client does not read. A short answer is sent
// in one piece by finish(); a longer one begins when 64 KiB have been written. The token is
// cancelled when the client goes away after that, or takes nothing for stall_max. Dropped
// unfinished: 500, or a cut body.
class AnswerWriter {
 public:
  static constexpr std::size_t kBufferBytes = 64u << 10;

  // `stall_max`: the longest wait for a client that does not read, as its worker waits with it.
  AnswerWriter(http::Responder responder, CancelToken cancel, Deadline deadline,
               Duration stall_max = std::chrono::seconds(10));
  ~AnswerWriter();
  AnswerWriter(const AnswerWriter&) = delete;
  AnswerWriter& operator=(const AnswerWriter&) = delete;

  void set_content_type(std::string type) { content_type_ = std::move(type); }
  // Before the answer begins.
  void add_header(std::string name, std::string value);
  // Called with the headers just before they are sent: of an answer, or of an error.
  using OnHead = std::function<void(http::Headers& headers, bool is_error)>;
  void on_head(OnHead on_head) { on_head_ = std::move(on_head); }
  // CANCELLED when the client is gone or the deadline has passed.
  Status write(std::string_view text);
  Status finish();
  // True until the first byte is on its way: the status can still be chosen.
  bool can_refuse() const noexcept { return !begun_; }
  // Answers with an error in place of what was written. When the answer has begun, its body is cut,
  // so that the client cannot take it for complete.
  void refuse(int status, std::string body);

 private:
  http::Response head(int status, bool is_error);
  Status begin();
  Status flush();

  http::Responder responder_;
  const CancelToken cancel_;
  const Deadline deadline_;
  const Duration stall_max_;
  std::string content_type_ = "application/json";
  http::Headers headers_;
  OnHead on_head_;
  std::string buffer_;
  bool begun_ = false;
  bool over_ = false;
  std::shared_ptr<StreamPeer> peer_;
  http::ResponseStream stream_;
};

}  // namespace spanway::query
