// The line and the labels behind each stage, as Loki 3.7 makes them.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "services/query/logql/engine.h"

namespace spanway::query::logql {
namespace {

// "line {labels}" behind the pipeline; "dropped" without one; or what is wrong with the query.
std::string after(const std::string& stages, const std::string& line, const Labels& metadata = {}) {
  auto pipeline = EntryPipeline::create("{app=\"shop\"} " + stages);
  if (!pipeline.ok()) return pipeline.error().message;
  Entry entry;
  entry.stream = std::make_shared<const Labels>(Labels{{"app", "shop"}});
  entry.metadata = metadata;
  entry.line = line;
  const auto result = pipeline->run(std::move(entry));
  if (!result) return "dropped";
  std::map<std::string, std::string> labels;
  for (const Labels* part :
       {&result->labels.stream, &result->labels.metadata, &result->labels.parsed})
    for (const auto& [name, value] : *part) labels[name] = value;
  std::string out = result->line + " {";
  for (const auto& [name, value] : labels)
    out += (out.back() == '{' ? "" : ",") + name + "=" + value;
  return out + "}";
}

struct Case {
  const char* stages;
  const char* line;
  const char* expected;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.stages << " on " << one.line; }

class OfALine : public testing::TestWithParam<Case> {};
TEST_P(OfALine, IsWhatLokiMakes) {
  EXPECT_EQ(after(GetParam().stages, GetParam().line, {{"pod", "p1"}}), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    LineFilters, OfALine,
    testing::ValuesIn(std::vector<Case>{
        {"|= \"b\"", "abc", "abc {app=shop,pod=p1}"},
        {"|= \"x\"", "abc", "dropped"},
        {"|= \"x\" or \"b\"", "abc", "abc {app=shop,pod=p1}"},
        {"!= \"x\" or \"b\"", "abc", "dropped"},
        {"|= \"\"", "abc", "abc {app=shop,pod=p1}"},
        {"|~ \"^a.c$\"", "abc", "abc {app=shop,pod=p1}"},
        {"!~ \"(?i)B\"", "abc", "dropped"},
        {"|> \"<_> of <_>\"", "3 of 5", "3 of 5 {app=shop,pod=p1}"},
        {"|> \"<_> of\"", "3 of 5", "dropped"},
        {"|> \" of <_>\"", "3 of 5", "3 of 5 {app=shop,pod=p1}"},
        {"!> \"<_> of <_>\"", "3 of 5", "dropped"},
        {"|= ip(\"10.0.0.0/8\")", "from 10.1.2.3:80", "from 10.1.2.3:80 {app=shop,pod=p1}"},
        {"|= ip(\"10.0.0.1-10.0.0.9\")", "from 10.0.1.3", "dropped"},
        {"!= ip(\"::1\")", "from ::1 on", "dropped"},
        {"|= ip(\"x\")", "", "parse error : stage '|= ip(\"x\")' : ip: invalid pattern: \"x\""}}));

INSTANTIATE_TEST_SUITE_P(
    Json, OfALine,
    testing::ValuesIn(std::vector<Case>{
        {"| json", R"({"a":1,"b":{"c d":"x","e":true},"f":[1],"g":null})",
         R"({"a":1,"b":{"c d":"x","e":true},"f":[1],"g":null} {a=1,app=shop,b_c_d=x,b_e=true,pod=p1})"},
        {"| json", R"({"app":"a","pod":"b","9x":1.50})",
         R"({"app":"a","pod":"b","9x":1.50} {_9x=1.50,app=shop,app_extracted=a,pod=p1,pod_extracted=b})"},
        {"| json", R"({"a":"x\n\u00e4"})",
         "{\"a\":\"x\\n\\u00e4\"} {a=x\n\xc3\xa4,app=shop,pod=p1}"},
        {"| json", R"({"a":1,"a":2})", R"({"a":1,"a":2} {a=1,app=shop,pod=p1})"},
        {"| json", "text",
         "text {__error__=JSONParserErr,__error_details__=Value "
         "loo"
         "ks like object, but can't find "
         "closing '}' symbol,app=shop,pod=p1}"},
        {"| json | __error__=\"\"", "text", "dropped"},
        {"| json | drop __error__, __error_details__", "text", "text {app=shop,pod=p1}"},
        {"| json x=\"b.c[1]\", y=\"z\"", R"({"b":{"c":[1,"two"]}})",
         R"({"b":{"c":[1,"two"]}} {app=shop,pod=p1,x=two,y=})"},
        {"| json x=\"b\"", R"({"b":{"c":1}})", R"({"b":{"c":1}} {app=shop,pod=p1,x={"c":1}})"},
        {"| json x=\"a..b\"", "{}",
         "parse error : stage '| json x=\"a..b\"' : cannot parse expression [a..b]: syntax error: "
         "unexpected ., expecting FIELD"}}));

INSTANTIATE_TEST_SUITE_P(
    OtherParsers, OfALine,
    testing::ValuesIn(std::vector<Case>{
        {"| logfmt", R"(a=1 b="x y" c d= e="q\"t" pod=b)",
         R"(a=1 b="x y" c d= e="q\"t" pod=b {a=1,app=shop,b=x y,e=q"t,pod=p1,pod_extracted=b})"},
        {"| logfmt --keep-empty", "c d=", "c d= {app=shop,c=,d=,pod=p1}"},
        {"| logfmt", "a=1 b=x=y c=2", "a=1 b=x=y c=2 {a=1,app=shop,c=2,pod=p1}"},
        {"| logfmt --strict", "a=1 b=x=y c=2",
         "a=1 b=x=y c=2 {__error__=LogfmtParserErr,__error_details__=logfmt syntax error at pos 8 "
         ": "
         "unexpected '=',a=1,app=shop,pod=p1}"},
        {"| logfmt x=\"b\", z", "a=1 b=2", "a=1 b=2 {app=shop,pod=p1,x=2,z=}"},
        {"| regexp `(?P<m>\\w+) (?P<n>\\d+)`", "GET 200 OK",
         "GET 200 OK {app=shop,m=GET,n=200,pod=p1}"},
        {"| regexp `(?P<m>\\d+)`", "none", "none {app=shop,pod=p1}"},
        {"| pattern \"<m> <_> <n>\"", "GET /x 200", "GET /x 200 {app=shop,m=GET,n=200,pod=p1}"},
        {"| pattern \"[<m>] <n>\"", "x] y", "x] y {app=shop,pod=p1}"},
        {"| unpack", R"({"x":"1","_entry":"the line"})", "the line {app=shop,pod=p1,x=1}"},
        {"| unpack |= \"the\"", R"({"x":"1","_entry":"the line"})",
         "the line {app=shop,pod=p1,x=1}"},
        {"| unpack", R"({"x":"1"})", R"({"x":"1"} {app=shop,pod=p1})"}}));

INSTANTIATE_TEST_SUITE_P(LabelFilters, OfALine,
                         testing::ValuesIn(std::vector<Case>{
                             {"| pod=\"p1\"", "x", "x {app=shop,pod=p1}"},
                             {"| pod=~\"p.\" | none=\"\"", "x", "x {app=shop,pod=p1}"},
                             {"| pod!~\"p\"", "x", "x {app=shop,pod=p1}"},
                             {"| logfmt | a>5", "a=10", "a=10 {a=10,app=shop,pod=p1}"},
                             {"| logfmt | a>5 and b=\"z\" or c=1", "a=10 c=1",
                              "a=10 c=1 {a=10,app=shop,c=1,pod=p1}"},
                             {"| logfmt | a>5", "b=1", "dropped"},
                             {"| logfmt | a>5", "a=x",
                              "a=x {__error__=LabelFilterErr,__error_details__=strconv.ParseFloat: "
                              "parsing \"x\": invalid "
                              "syntax,a=x,app=shop,pod=p1}"},
                             {"| logfmt | a>=1m30s", "a=90s", "a=90s {a=90s,app=shop,pod=p1}"},
                             {"| logfmt | a<1KiB", "a=1KB", "a=1KB {a=1KB,app=shop,pod=p1}"},
                             {"| logfmt | a=ip(\"10.0.0.0/8\")", "a=11.0.0.1", "dropped"}}));

INSTANTIATE_TEST_SUITE_P(
    Formats, OfALine,
    testing::ValuesIn(std::vector<Case>{
        {"| line_format \"{{.pod}}: {{__line__}}\"", "x", "p1: x {app=shop,pod=p1}"},
        {"| label_format where=pod, what=\"{{.pod}}!\"", "x", "x {app=shop,what=!,where=p1}"},
        {"| label_format app=pod", "x", "x {app=p1}"},
        {"| decolorize", "\x1b[31mred\x1b[0m", "red {app=shop,pod=p1}"},
        {"| drop pod", "x", "x {app=shop}"},
        {"| drop pod=\"p2\"", "x", "x {app=shop,pod=p1}"},
        {"| keep pod", "x", "x {pod=p1}"},
        {"| logfmt | keep a=\"1\"", "a=1 b=2", "a=1 b=2 {a=1}"},
        {"| line_format \"{{.a\"", "x",
         "parse error : stage '| line_format \"{{.a\"' : invalid line template: template: line:1: "
         "unclosed action"},
        {"| label_format a=b, a=c", "x",
         "parse error : stage '| label_format a=b,a=c' : multiple label name 'a' not allowed in a "
         "single format operation"}}));

TEST(Stages, MetadataOfAStreamsNameGetsASuffix) {
  EXPECT_EQ(after("", "x", {{"app", "other"}}), "x {app=shop,app_extracted=other}");
}

}  // namespace
}  // namespace spanway::query::logql
