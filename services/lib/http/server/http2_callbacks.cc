#include "services/lib/http/server/http2_callbacks.h"

#include "services/lib/base/check.h"
#include "services/lib/http/server/http2_session_impl.h"

namespace spanway::http {
namespace {

std::string_view text_of(nghttp2_rcbuf* buffer) noexcept {
  const nghttp2_vec vec = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(vec.base), vec.len};
}

}  // namespace

struct Http2Callbacks::Frames {
  static Http2Session& self(void* user) noexcept { return *static_cast<Http2Session*>(user); }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) noexcept {
    return self(user).on_begin_frame(*frame);
  }
  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    return self(user).on_begin_headers(*frame);
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                    nghttp2_rcbuf* value, std::uint8_t, void* user) noexcept {
    return self(user).on_header(*frame, text_of(name), text_of(value));
  }
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*,
                            std::uint8_t, void*) noexcept {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // Resets the stream: malformed.
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    return self(user).on_frame(*frame);
  }
  // Frames of types we do not know are taken only so that they are counted.
  static int extension_chunk(nghttp2_session*, const nghttp2_frame_hd*, const std::uint8_t*,
                             std::size_t, void*) noexcept {
    return 0;
  }
  static int extension(nghttp2_session*, void**, const nghttp2_frame_hd*, void*) noexcept {
    return NGHTTP2_ERR_CANCEL;
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                  std::size_t size, void* user) noexcept {
    return self(user).on_data(id, {reinterpret_cast<const char*>(data), size});
  }
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    return self(user).on_frame_sent(*frame);
  }
  static int stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) noexcept {
    return self(user).on_stream_close(id);
  }
};

ssize_t Http2Callbacks::read(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source* source,
                             void* user) noexcept {
  return static_cast<Http2Session*>(user)->read_body(*static_cast<Http2Stream*>(source->ptr),
                                                     {into, size}, *flags);
}

nghttp2_session_callbacks* Http2Callbacks::table() noexcept {
  static nghttp2_session_callbacks* const table = [] {
    nghttp2_session_callbacks* created = nullptr;
    SPANWAY_CHECK(nghttp2_session_callbacks_new(&created) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(created, Frames::begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(created, Frames::begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(created, Frames::header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(created, Frames::invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(created, Frames::frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(created, Frames::data);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(created,
                                                                   Frames::extension_chunk);
    nghttp2_session_callbacks_set_unpack_extension_callback(created, Frames::extension);
    nghttp2_session_callbacks_set_on_frame_send_callback(created, Frames::frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(created, Frames::stream_close);
    return created;
  }();
  return table;
}

nghttp2_option* Http2Callbacks::options() noexcept {
  static nghttp2_option* const options = [] {
    nghttp2_option* created = nullptr;
    SPANWAY_CHECK(nghttp2_option_new(&created) == 0);
    nghttp2_option_set_no_closed_streams(created, 1);
    nghttp2_option_set_max_outbound_ack(created, 1000);
    nghttp2_option_set_max_settings(created, 32);
    // Behind our own limit, which does not wait for the GOAWAY to be sent.
    nghttp2_option_set_stream_reset_rate_limit(created, 2000, 66);
    nghttp2_option_set_max_continuations(created, 8);
    for (int type = NGHTTP2_CONTINUATION + 1; type <= 0xff; ++type)
      nghttp2_option_set_user_recv_extension_type(created, static_cast<std::uint8_t>(type));
    return created;
  }();
  return options;
}

}  // namespace spanway::http
