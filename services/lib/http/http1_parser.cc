#include "services/lib/http/http1_parser.h"

#include <limits>
#include <utility>

#include "services/lib/base/ascii.h"

namespace spanway::http {
template <bool kRequest>
Http1Parser<kRequest>::Http1Parser(Http1BodySink sink) : sink_(std::move(sink)) {
  // The reader of the body bounds it, so that it can answer as its protocol wants. Not boost::none:
  // Beast 1.74 takes that as zero.
  this->body_limit(std::numeric_limits<std::uint64_t>::max());
}

template <bool kRequest>
void Http1Parser<kRequest>::on_request_impl(Verb, View method, View target, int version,
                                            ErrorCode&) {
  head_.method.assign(method.data(), method.size());
  head_.target.assign(target.data(), target.size());
  head_.version = version;
}

template <bool kRequest>
void Http1Parser<kRequest>::on_response_impl(int status, View, int version, ErrorCode&) {
  head_.status = status;
  head_.version = version;
}

template <bool kRequest>
void Http1Parser<kRequest>::on_field_impl(Field, View name, View value, ErrorCode&) {
  // Trailers of a chunked body are read and dropped.
  if (!head_done_)
    head_.headers.add(to_lower(std::string_view(name.data(), name.size())),
                      std::string(value.data(), value.size()));
}

template <bool kRequest>
void Http1Parser<kRequest>::on_header_impl(ErrorCode&) {
  head_done_ = true;
}

template <bool kRequest>
void Http1Parser<kRequest>::on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) {}

template <bool kRequest>
std::size_t Http1Parser<kRequest>::on_body_impl(View body, ErrorCode&) {
  sink_({body.data(), body.size()});
  return body.size();
}

template <bool kRequest>
void Http1Parser<kRequest>::on_chunk_header_impl(std::uint64_t, View, ErrorCode&) {}

template <bool kRequest>
std::size_t Http1Parser<kRequest>::on_chunk_body_impl(std::uint64_t, View body, ErrorCode&) {
  sink_({body.data(), body.size()});
  return body.size();
}

template <bool kRequest>
void Http1Parser<kRequest>::on_finish_impl(ErrorCode&) {}

template class Http1Parser<true>;
template class Http1Parser<false>;

}  // namespace spanway::http
