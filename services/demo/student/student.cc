#include "services/demo/student/student.h"

#include <charconv>

#include "services/lib/base/json_writer.h"
#include "services/lib/base/utf8.h"
#include "services/lib/otlp/json_reader.h"

namespace spanway::demo {
namespace {

using otlp::JsonReader;

constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kDepthMax = 4;

// Values that are skipped nest at most 64 deep.
class NoMemory final : public otlp::BracketStack {
 public:
  bool push(std::uint64_t) override { return false; }
  std::uint64_t pop() override { return 0; }
};

bool read_text(JsonReader& json, std::string& out) {
  otlp::JsonString text;
  if (!json.read_string(text)) return false;
  out.resize(text.raw.size());
  out.resize(JsonReader::unescape(text, out.data()));
  return true;
}

bool read_number(JsonReader& json, std::int64_t& out) {
  std::string_view digits;
  return json.read_number(digits) &&
         std::from_chars(digits.data(), digits.data() + digits.size(), out).ec == std::errc();
}

bool read_members(JsonReader& json, Student& student) {
  NoMemory none;
  otlp::JsonString key;
  if (!json.open_object()) return false;
  while (json.next_member(key)) {
    const bool read = key.raw == "firstname"  ? read_text(json, student.firstname)
                      : key.raw == "lastname" ? read_text(json, student.lastname)
                      : key.raw == "id"       ? read_number(json, student.id)
                                              : json.skip_value(none);
    if (!read) return false;
  }
  return json.finish();
}

// PostgreSQL takes as text: UTF-8 without a zero byte.
Status check_name(const char* member, const std::string& name) {
  const std::string what = std::string("\"") + member + "\" ";
  if (name.empty()) return invalid_argument(what + "is missing or empty; give a name");
  if (name.size() > kNameBytesMax)
    return invalid_argument(what + "is longer than " + std::to_string(kNameBytesMax) + " bytes");
  if (name.find('\0') != std::string::npos || !is_valid_utf8(name))
    return invalid_argument(what + "is no text: it holds a zero byte or invalid UTF-8");
  return ok_status();
}

void write_names(JsonWriter& json, const Student& student) {
  json.member("id", student.id)
      .member("firstname", student.firstname)
      .member("lastname", student.lastname);
}

}  // namespace

Result<Student> parse_student(std::string_view text) {
  if (text.size() > kStudentBytesMax)
    return invalid_argument("the body is longer than " + std::to_string(kStudentBytesMax) +
                            " bytes");
  Student student;
  JsonReader json(text, kDepthMax);
  if (!read_members(json, student))
    return invalid_argument("the body is not {\"firstname\": \"...\", \"lastname\": \"...\"}: " +
                            std::string(json.problem() == nullptr ? "wrong type" : json.problem()) +
                            " at byte " + std::to_string(json.offset()));
  SPANWAY_TRY(check_name("firstname", student.firstname));
  SPANWAY_TRY(check_name("lastname", student.lastname));
  return student;
}

std::string to_json(const Student& student) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_names(json, student);
  json.end_object();
  return out;
}

std::string billing_json(const Student& student) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_names(json, student);
  json.member("fees", kFees).end_object();
  return out;
}

}  // namespace spanway::demo
