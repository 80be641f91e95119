// Templates, with the results of Go's text/template and sprig.
#include "services/query/logql/template.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace spanway::query::logql {
namespace {

std::string executed(const std::string& text) {
  const auto created = Template::create("line", text);
  if (!created.ok()) return created.error().message;
  const std::map<std::string, std::string, std::less<>> labels = {
      {"a", "Hello"}, {"n", "42"}, {"f", "2.5"}, {"empty", ""}, {"d", "1m30s"}, {"s", "2KB"}};
  const TemplateInput input{.label = [&](std::string_view name) -> std::optional<std::string_view> {
                              const auto found = labels.find(name);
                              if (found == labels.end()) return std::nullopt;
                              return found->second;
                            },
                            .line = "the line",
                            .time = 1'700'000'000'123'456'789};
  const auto result = created->execute(input);
  return result.ok() ? *result : "error: " + result.error().message;
}

struct Case {
  const char* text;
  const char* expected;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.text; }

class Executes : public testing::TestWithParam<Case> {};
TEST_P(Executes, AsGo) { EXPECT_EQ(executed(GetParam().text), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    Actions, Executes,
    testing::ValuesIn(std::vector<Case>{
        {"plain", "plain"},
        {"{{.a}} {{.none}}|", "Hello |"},
        {"a {{- .a -}} b", "aHellob"},
        {"x{{/* note */}}y", "xy"},
        {"{{if .a}}yes{{else}}no{{end}}", "yes"},
        {"{{if .empty}}1{{else if eq .a \"Hello\"}}2{{else}}3{{end}}", "2"},
        {"{{with .a}}<{{.}}>{{else}}none{{end}}", "<Hello>"},
        {"{{with .empty}}<{{.}}>{{else}}none{{end}}", "none"},
        {"{{with .a}}{{$.n}}{{end}}", "42"},
        {"{{$x := .a}}{{$x}}{{$x = \"new\"}}{{$x}}", "Hellonew"},
        {"{{.a | ToUpper | printf \"%-7s|\"}}", "HELLO  |"},
        {"{{(printf \"%s-%s\" .a .n) | lower}}", "hello-42"},
        {"{{__line__}} {{__timestamp__ | unixEpochMillis}}", "the line 1700000000123"},
        {"{{ \"a\\tb\" }}{{ `c` }}{{ 1.5 }}{{ true }}", "a\tbc1.5true"},
        {"{{and .a .n}} {{or .empty .n}} {{not .empty}}", "42 42 true"},
        {"{{if and (gt (int .n) 40) (lt (float64 .f) 3.0)}}ok{{end}}", "ok"}}));

INSTANTIATE_TEST_SUITE_P(
    Functions, Executes,
    testing::ValuesIn(std::vector<Case>{
        {"{{trunc 2 .a}} {{trunc -2 .a}} {{substr 1 3 .a}}", "He lo el"},
        {"{{alignLeft 7 .a}}|{{alignRight 3 .a}}", "Hello  |llo"},
        {"{{Replace .a \"l\" \"L\" 1}} {{replace \"l\" \"L\" .a}}", "HeLlo HeLLo"},
        {"{{Trim \"--x-\" \"-\"}} {{trimAll \"-\" \"--y-\"}} {{TrimLeft \"-z-\" \"-\"}}", "x y z-"},
        {"{{trimPrefix \"He\" .a}} {{TrimSuffix .a \"lo\"}}", "llo Hel"},
        {"{{contains \"ell\" .a}} {{hasPrefix \"He\" .a}} {{hasSuffix \"x\" .a}}",
         "true true false"},
        {"{{regexReplaceAll \"(l+)\" .a \"<$1>\"}} {{regexReplaceAllLiteral \"l\" .a \"$1\"}}",
         "He<ll>o He$1$1o"},
        {"{{count \"l\" .a}} {{len .a}}", "2 5"},
        {"{{add 1 2 3}} {{sub 5 2}} {{mul 2 3}} {{div 7 2}} {{mod 7 2}}", "6 3 6 3 1"},
        {"{{addf 1.5 2}} {{divf 1 4}} {{max 1 5 3}} {{minf 2.5 1.5}}", "3.5 0.25 5 1.5"},
        {"{{ceil 1.2}} {{floor 1.8}} {{round 3.14159 2}}", "2 1 3.14"},
        {"{{int \"7\"}} {{float64 \"1.5\"}} {{add .n 1}}", "7 1.5 43"},
        {"{{duration .d}} {{bytes .s}}", "90 2000"},
        {"{{b64enc .a}} {{b64dec \"SGVsbG8=\"}}", "SGVsbG8= Hello"},
        {"{{urlencode \"a b&c\"}} {{urldecode \"a+b%26c\"}}", "a+b%26c a b&c"},
        {"{{indent 2 .a}} {{repeat 3 \"x\"}} {{title \"big day\"}}", "  Hello xxx Big Day"},
        {"{{default \"none\" .empty}} {{default \"none\" .a}}", "none Hello"},
        {"{{date \"2006-01-02T15:04:05.000Z07:00\" __timestamp__}}", "2023-11-14T22:13:20.123Z"},
        {"{{unixToTime \"1700000000\" | date \"Mon Jan _2 3:04PM\"}}", "Tue Nov 14 10:13PM"},
        {"{{__timestamp__}}", "2023-11-14 22:13:20.123456789 +0000 UTC"},
        {"{{printf \"%05d|%x|%q|%.1f|%v|%d\" 42 255 .a 2.55 true .a}}",
         "00042|ff|\"Hello\"|2.5|true|%!d(string=Hello)"},
        {"{{print 1 2 \"x\" 3}} {{println \"a\" 1}}", "1 2x3 a 1\n"}}));

INSTANTIATE_TEST_SUITE_P(
    Refused, Executes,
    testing::ValuesIn(std::vector<Case>{
        {"{{.a", "template: line:1: unclosed action"},
        {"x\n{{nope .a}}", "template: line:2: function \"nope\" not defined"},
        {"{{range .a}}{{end}}", "template: line:1: \"range\" is not supported"},
        {"{{fromJson .a}}", "template: line:1: function \"fromJson\" is not supported"},
        {"{{.}}", "template: line:1: '.' is supported within {{with}} only"},
        {"{{if .a}}", "template: line:1: unexpected EOF"},
        {"{{end}}", "template: line:1: unexpected {{end}}"},
        {"{{$x}}", "template: line:1: undefined variable \"$x\""},
        {"{{if $y := .a}}{{$y}}{{end}}{{$y}}", "template: line:1: undefined variable \"$y\""},
        {"{{.a | \"x\"}}", "template: line:1: non executable command in pipeline stage 2"}}));

INSTANTIATE_TEST_SUITE_P(
    Fails, Executes,
    testing::ValuesIn(std::vector<Case>{
        {"{{if eq .n 42}}{{end}}",
         "error: template: line: executing line: error calling eq: incompatible types for "
         "comparison"},
        {"{{trunc .n .a}}",
         "error: template: line: executing line: wrong type for argument 1 of trunc"},
        {"{{div 1 0}}",
         "error: template: line: executing line: error calling div: runtime error: integer divide "
         "by zero"},
        {"{{repeat 9000000 \"x\"}}",
         "error: template: line: executing line: error calling repeat: a template prints more than "
         "4194304 bytes"}}));

TEST(Template, KnowsTheLabelsThatItNames) {
  EXPECT_EQ(Template::create("line", "{{.a}}{{if .b}}{{$.c}}{{end}}")->fields(),
            (std::vector<std::string>{"a", "b", "c"}));
}

}  // namespace
}  // namespace spanway::query::logql
