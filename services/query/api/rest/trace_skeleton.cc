#include "services/query/api/rest/trace_skeleton.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/lib/base/hex.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/block/copy_rows.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp_blocks/assemble.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/api/trace_windows.h"

namespace spanway::query::rest {
namespace {

constexpr std::size_t kSpanIdDigits = 16;
constexpr std::uint64_t kNanosPerMicro = 1000;
// Members of `parent` that are no index.
constexpr std::int64_t kNoParent = -1, kParentMissing = -2;
// Pieces that are handed to the answer at once.
constexpr std::size_t kPieceBytes = 32u << 10;

Error not_found(const TraceId& id) {
  return data_error(Code::kNotFound, "trace " + to_hex(id) +
                                         " has no spans here: they may still be on their way, "
                                         "be of another tenant, or be older than the store keeps")
      .with_reason("trace_not_found");
}

Error unreadable() {
  return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
      .with_reason("stored_value_unreadable");
}

// Each text once, by its number.
class Texts {
 public:
  std::uint32_t number_of(std::string_view text) {
    const auto [found, is_new] =
        numbers_.try_emplace(std::string(text), static_cast<std::uint32_t>(texts_.size()));
    if (is_new) {
      texts_.push_back(found->first);
      bytes_ += 2 * text.size() + 2 * sizeof(std::string);
    }
    return found->second;
  }
  const std::vector<std::string>& texts() const { return texts_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<std::string> texts_;
  std::size_t bytes_ = 0;
};

struct Bone {
  std::uint64_t start = 0;  // ns, as `duration`.
  std::uint64_t duration = 0;
  std::uint64_t id = 0;
  std::uint64_t parent = 0;  // 0 = none.
  std::uint32_t service = 0;
  std::uint32_t name = 0;
  std::uint8_t kind = 0;
  std::uint8_t status = 0;
};

std::uint64_t id_number(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

class Skeleton {
 public:
  Status add(const block::Block& block) {
    otlp_blocks::SpanReader reader(block);
    for (std::size_t row = 0; row < reader.rows(); ++row) {
      const otlp_blocks::StoredSpan* stored = reader.read(row);
      if (stored == nullptr) return unreadable();
      const otlp::SpanView& span = stored->span;
      Bone bone;
      bone.start = span.start_time_unix_nano;
      bone.duration = span.end_time_unix_nano - span.start_time_unix_nano;
      bone.id = id_number(span.span_id);
      bone.parent = id_number(span.parent_span_id);
      bone.service = services_.number_of(stored->service_name);
      bone.name = names_.number_of(span.name);
      bone.kind = static_cast<std::uint8_t>(span.kind);
      bone.status = static_cast<std::uint8_t>(span.status_code);
      bones_.push_back(bone);
    }
    return {};
  }
  bool is_empty() const { return bones_.empty(); }
  std::size_t memory_bytes() const {
    // With the answer and its index of ids.
    constexpr std::size_t kAnswerBytes = 100, kIndexBytes = 48;
    return bones_.capacity() * sizeof(Bone) + bones_.size() * (kAnswerBytes + kIndexBytes) +
           services_.bytes() + names_.bytes();
  }

  std::string json(const TraceId& id) {
    std::stable_sort(bones_.begin(), bones_.end(), [](const Bone& a, const Bone& b) {
      // A parent that starts together with its child comes first.
      return a.start != b.start ? a.start < b.start : a.duration > b.duration;
    });
    const std::uint64_t begin = bones_.front().start;
    std::string out;
    JsonWriter json(out);
    json.begin_object().member("traceId", to_hex(id));
    json.member("startTimeUnixNano", std::to_string(begin));
    json.member("spanCount", bones_.size());
    append_texts("services", services_, json);
    append_texts("names", names_, json);
    json.begin_object("columns").member("spanId", ids());
    append_parents(json);
    std::uint64_t before = 0;
    append("start", json, [&](const Bone& bone) {
      const std::uint64_t start = (bone.start - begin) / kNanosPerMicro;
      return start - std::exchange(before, start);
    });
    append("duration", json, [](const Bone& bone) { return bone.duration / kNanosPerMicro; });
    append("service", json, [](const Bone& bone) { return bone.service; });
    append("name", json, [](const Bone& bone) { return bone.name; });
    append("kind", json, [](const Bone& bone) { return bone.kind; });
    append("status", json, [](const Bone& bone) { return bone.status; });
    json.end_object().end_object();
    return out;
  }

 private:
  static void append_texts(std::string_view name, const Texts& texts, JsonWriter& json) {
    json.begin_array(name);
    for (const std::string& text : texts.texts()) json.value(text);
    json.end_array();
  }
  template <typename Number>
  void append(std::string_view name, JsonWriter& json, Number number) const {
    json.begin_array(name);
    for (const Bone& bone : bones_) json.value(number(bone));
    json.end_array();
  }
  std::string ids() const {
    std::string ids(bones_.size() * kSpanIdDigits, '0');
    for (std::size_t i = 0; i < bones_.size(); ++i)
      put_hex(bones_[i].id, ids.data() + i * kSpanIdDigits);
    return ids;
  }
  void append_parents(JsonWriter& json) const {
    // The first of spans with one id, which are deliveries of the same span or both ends of a call.
    std::unordered_map<std::uint64_t, std::int64_t> index;
    index.reserve(bones_.size());
    for (std::size_t i = 0; i < bones_.size(); ++i)
      index.try_emplace(bones_[i].id, static_cast<std::int64_t>(i));
    append("parent", json, [&](const Bone& bone) {
      if (bone.parent == 0) return kNoParent;
      const auto found = index.find(bone.parent);
      return found == index.end() ? kParentMissing : found->second;
    });
  }

  std::vector<Bone> bones_;
  Texts services_, names_;
};

Status write_pieces(std::string_view text, AnswerWriter& answer) {
  for (std::size_t at = 0; at < text.size(); at += kPieceBytes)
    SPANWAY_TRY(answer.write(text.substr(at, kPieceBytes)));
  return {};
}

}  // namespace

Status answer_skeleton(TraceStore& store, const TraceId& id, std::optional<TimeRange> hint,
                       bool may_gzip, QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto stream, store.spans_of(id, hint, SpanColumns::kNarrow, context));
  Skeleton skeleton;
  while (true) {
    SPANWAY_ASSIGN(const auto block, stream->next());
    if (!block) break;
    SPANWAY_TRY(skeleton.add(*block));
    SPANWAY_TRY(context.budget.keep(skeleton.memory_bytes() + block->memory_bytes()));
  }
  if (skeleton.is_empty()) return not_found(id);
  const std::string json = skeleton.json(id);
  answer.add_header("vary", "accept-encoding");
  if (!may_gzip || json.size() < kPieceBytes) return write_pieces(json, answer);
  SPANWAY_ASSIGN(const Bytes coded, http::encode(http::ContentCoding::kGzip, json));
  answer.add_header("content-encoding", "gzip");
  return write_pieces(coded.view(), answer);
}

Status answer_span(TraceStore& store, const TraceId& id, const std::string& span_id,
                   std::optional<TimeRange> hint, QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(auto spans, store.spans_of(id, hint, SpanColumns::kAll, context));
  TraceWindows windows(store, std::move(spans), context);
  while (true) {
    SPANWAY_ASSIGN(const auto window, windows.next());
    if (!window)
      return data_error(Code::kNotFound, "trace " + to_hex(id) + " has no span " + to_hex(span_id))
          .with_reason("span_not_found");
    const otlp_blocks::SpanReader reader(*window);
    block::Block found = block::empty_like(*window);
    for (std::size_t row = 0; row < reader.rows(); ++row)
      if (reader.text("span_id", row) == span_id) block::append_row(*window, row, found);
    if (found.rows() == 0) continue;
    Bytes request;
    SPANWAY_TRY(otlp_blocks::append_spans(
        found, [&](std::uint64_t resource) { return windows.resources().find(resource); },
        request));
    SPANWAY_ASSIGN(const std::string json,
                   otlp::protobuf_to_json(otlp::Signal::kTraces, request.view()));
    return write_pieces(json, answer);
  }
}

}  // namespace spanway::query::rest
