// Beast's HTTP/1 parsers; they collect the head and pass the body on without a copy. For
// this module only.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "services/lib/http/message.h"

namespace spanway::http {

// The head, as both parsers collect it.
struct Http1Head {
  std::string method;  // Requests.
  std::string target;  // Requests.
  int status = 0;      // Answers.
  int version = 11;
  Headers headers;
};

// Called with pieces of the body, valid during the call.
using Http1BodySink = std::function<void(std::string_view)>;

// External lock. `kRequest` chooses between requests and answers.
template <bool kRequest>
class Http1Parser final : public boost::beast::http::basic_parser<kRequest> {
 public:
  explicit Http1Parser(Http1BodySink sink);

  const Http1Head& head() const noexcept { return head_; }
  Http1Head& head() noexcept { return head_; }

 private:
  using Verb = boost::beast::http::verb;
  using Field = boost::beast::http::field;
  using View = boost::beast::string_view;
  using ErrorCode = boost::beast::error_code;

  void on_request_impl(Verb verb, View method, View target, int version, ErrorCode& error) override;
  void on_response_impl(int status, View reason, int version, ErrorCode& error) override;
  void on_field_impl(Field field, View name, View value, ErrorCode& error) override;
  void on_header_impl(ErrorCode& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& error) override;
  std::size_t on_body_impl(View body, ErrorCode& error) override;
  void on_chunk_header_impl(std::uint64_t size, View extensions, ErrorCode& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t left, View body, ErrorCode& error) override;
  void on_finish_impl(ErrorCode& error) override;

  Http1BodySink sink_;
  Http1Head head_;
  bool head_done_ = false;
};

extern template class Http1Parser<true>;
extern template class Http1Parser<false>;

}  // namespace spanway::http
