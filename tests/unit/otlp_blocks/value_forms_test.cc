// The three texts of an OTLP value that destinations and queries rely on, side by side: the JSON
// that is stored, a label of Prometheus, and Loki's structured metadata.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "services/lib/logstreams/value_text.h"
#include "services/lib/otlp/value_json.h"
#include "services/lib/promseries/attribute_text.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway {
namespace {

using fakes::otlp_array;
using fakes::otlp_attribute;
using fakes::otlp_int;
using fakes::otlp_kvlist;
using fakes::otlp_string;
using fakes::ProtoMessage;

struct Case {
  std::string name;
  ProtoMessage value;
  std::string stored;  // "refused" when it cannot be.
  std::string label;
  std::string log;
};

ProtoMessage real(double number) { return ProtoMessage().real(4, number); }
ProtoMessage nested(int levels) {
  ProtoMessage value = otlp_int(1);
  for (int i = 0; i < levels; ++i) value = otlp_array({value});
  return value;
}
std::string brackets(int levels, const std::string& inside) {
  const auto count = static_cast<std::size_t>(levels);
  return std::string(count, '[') + inside + std::string(count, ']');
}

const double kInfinity = std::numeric_limits<double>::infinity();
const double kNaN = std::numeric_limits<double>::quiet_NaN();
// Quotes, escapes, controls, HTML, DEL, U+0085, U+2028, a bidirectional mark, a BOM.
const std::string kText =
    "\"\\/<&>\b\f\n\r\t\x01\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xef\xbb\xbf\xf0\x9f\x91\x8b";
const std::string kVisible =
    "\\\"\\\\/<&>\\u0008\\u000c\\n\\r\\t\\u0001\\u007f\\u0085\\u2028\\u202e\\ufeff\xf0\x9f\x91\x8b";
const std::string kGo =
    "\\\"\\\\/<&>\\b\\f\\n\\r\\t\\u0001\x7f\xc2\x85\\u2028\xe2\x80\xae\xef\xbb\xbf\xf0\x9f\x91\x8b";

std::vector<Case> cases() {
  const auto list = [](std::vector<ProtoMessage> entries) { return otlp_kvlist(entries); };
  return {
      {"empty", ProtoMessage(), "null", "", ""},
      {"string", otlp_string(kText), "\"" + kVisible + "\"", kText, kText},
      {"true", ProtoMessage().varint(2, 1), "true", "true", "true"},
      {"false", ProtoMessage().varint(2, 0), "false", "false", "false"},
      {"int", otlp_int(-7), "-7", "-7", "-7"},
      {"double", real(0.1), "0.1", "0.1", "0.1"},
      {"integral double", real(1), "1.0", "1", "1"},
      {"minus zero", real(-0.0), "-0.0", "-0", "-0"},
      {"hundred thousand", real(100000), "1e+05", "100000", "100000"},
      {"large double", real(1e21), "1e+21", "1e+21", "1e+21"},
      {"small double", real(1.25e-7), "1.25e-07", "1.25e-7", "1.25e-7"},
      {"NaN", real(kNaN), R"({"$double":"NaN"})", "NaN", "NaN"},
      {"infinity", real(kInfinity), R"({"$double":"Infinity"})", "Infinity", "Infinity"},
      {"minus infinity", real(-kInfinity), R"({"$double":"-Infinity"})", "-Infinity", "-Infinity"},
      {"bytes", ProtoMessage().bytes(7, "\xff\x01"), R"({"$bytes":"/wE="})", "/wE=", "/wE="},
      {"empty array", otlp_array({}), "[]", "[]", "[]"},
      {"empty list", list({}), "{}", "{}", "{}"},
      {"array",
       otlp_array({otlp_int(1), ProtoMessage(), ProtoMessage().varint(2, 1), real(2), real(1e-7),
                   otlp_string(kText), ProtoMessage().bytes(7, "ab"), otlp_array({}), list({})}),
       "[1,null,true,2.0,1e-07,\"" + kVisible + R"(",{"$bytes":"YWI="},[],{}])",
       "[1,null,true,2,1e-7,\"" + kVisible + R"(","YWI=",[],{}])",
       "[1,null,true,2,1e-7,\"" + kGo + R"(","YWI=",[],{}])"},
      {"list",
       list({otlp_attribute("b", otlp_int(1)), otlp_attribute("$a", kText),
             otlp_attribute("b", otlp_int(2)), otlp_attribute(kText, "x")}),
       R"({"b":1,"$$a":")" + kVisible + R"(","b":2,")" + kVisible + R"(":"x"})",
       "{\"" + kVisible + R"(":"x","$a":")" + kVisible + R"(","b":2})",
       "{\"" + kGo + R"(":"x","$a":")" + kGo + R"(","b":2})"},
      {"NaN in an array", otlp_array({otlp_int(1), real(kNaN)}), R"([1,{"$double":"NaN"}])", "",
       ""},
      {"infinity in a list", list({otlp_attribute("a", real(kInfinity))}),
       R"({"a":{"$double":"Infinity"}})", "", ""},
      {"broken UTF-8", otlp_array({otlp_string("a\xff\xe2\x80z")}),
       "[\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"]",
       "[\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"]", "[\"a\xff\xe2\x80z\"]"},
      {"64 levels", nested(64), brackets(64, "1"), brackets(64, "1"), brackets(64, "1")},
      {"65 levels", nested(65), "refused", "", brackets(65, "null")},
      {"broken array", ProtoMessage().bytes(5, "\x0a\x02\x18\x07\x0a\x7f"), "refused", "", "[7]"},
      {"broken list", ProtoMessage().bytes(6, "\x0a\x7f"), "refused", "", "{}"},
  };
}

// `value` as the attribute of a log record, through the reader.
template <typename Form>
std::string text_of(const ProtoMessage& value, Form form) {
  struct Visitor final : otlp::RequestVisitor {
    explicit Visitor(Form f) : form(f) {}
    Status on_log(const otlp::LogView& log) override {
      text = form(log.attributes.front().value);
      return {};
    }
    Form form;
    std::string text;
  } visitor(form);
  const std::string request =
      fakes::otlp_request_of({fakes::otlp_log_record("", {}, {}, {otlp_attribute("key", value)})});
  otlp::RequestReader reader;
  EXPECT_TRUE(reader.read(otlp::Signal::kLogs, request, visitor).ok());
  return visitor.text;
}

TEST(ValueForms, StoredJsonKeepsTypesALabelAndALogHaveText) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(text_of(c.value,
                      [](const otlp::ValueView& value) -> std::string {
                        std::string out;
                        return otlp::append_typed_json(value, out) ? out : "refused";
                      }),
              c.stored);
    // Behind what is in the text already.
    EXPECT_EQ(text_of(c.value,
                      [](const otlp::ValueView& value) {
                        std::string out = "before ";
                        promseries::append_text(value, out);
                        return out;
                      }),
              "before " + c.label);
    EXPECT_EQ(text_of(c.value,
                      [](const otlp::ValueView& value) {
                        std::string out = "before ";
                        logstreams::append_text(value, out);
                        return out;
                      }),
              "before " + c.log);
  }
}

}  // namespace
}  // namespace spanway
