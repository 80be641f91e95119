// --check-config and the start must agree: whatever the check takes has to start, for every key of
// every service, each wrong in each way that its type allows.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/config_attempt.h"

namespace spanway {
namespace {

using Values = std::vector<std::string>;

// Mistaken values of strings, as YAML.
const Values kTexts = {"[]",
                       "{}",
                       "''",
                       "' '",
                       "'a b'",
                       "name",
                       "'name:'",
                       "'name:0'",
                       "'name:99999'",
                       "'name:4317'",
                       "':4317'",
                       "'http://name:4317'",
                       "'http://name:4317/v1/traces'",
                       "'https://user:pw@name'",
                       "'ftp://name'",
                       "127.0.0.1",
                       "999.1.1.1",
                       "203.0.113.7",
                       "'::1'",
                       "'/nonexistent/file.pem'",
                       "'/proc/self/status'",
                       "/",
                       "'*'",
                       "'a,b'",
                       "\"\\x01\"",
                       "\"\\xe9\"",
                       "\"a\\nb\"",
                       "'" + std::string(300, 'x') + "'"};

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.0f", value);
  return text;
}

// Collects each key with the values to try, by the same declaration that loads them.
class KeyCollector final : public config::Binder {
 public:
  struct Key {
    std::string path;  // With list items as "[0]".
    Values values;
  };
  explicit KeyCollector(std::vector<Key>& keys, std::string path = "")
      : keys_(keys), path_(std::move(path)) {}

  using Binder::key;
  void key(std::string_view name, bool&, const config::KeyInfo&) override {
    add(name, {"true", "false", "maybe", "1", "[]", "{}", "'true'"});
  }
  void key(std::string_view name, std::int64_t&, const config::KeyInfo& info) override {
    add(name, bounded({"x", "1.5", "[]", "99999999999999999999", "-1", "0"}, info, ""));
  }
  void key(std::string_view name, double&, const config::KeyInfo& info) override {
    add(name, bounded({"x", "[]", ".nan", ".inf", "-1"}, info, ""));
  }
  void key(std::string_view name, std::string&, const config::KeyInfo&) override {
    add(name, kTexts);
  }
  void key(std::string_view name, Secret&, const config::KeyInfo&) override { add(name, kTexts); }
  void key(std::string_view name, Duration&, const config::KeyInfo& info) override {
    add(name, bounded({"5", "5 parsecs", "-1s", "[]", "soon"}, info, "ms"));
  }
  void key(std::string_view name, config::ByteSize&, const config::KeyInfo& info) override {
    add(name, bounded({"x", "5MB", "-1", "[]", "1.5MiB"}, info, ""));
  }
  void key(std::string_view name, std::vector<std::string>&, const config::KeyInfo&) override {
    Values values = {"x", "{a: b}", "[[]]", "[]", "[null]"};
    for (const std::string& text : kTexts) values.push_back("[" + text + "]");
    add(name, values);
  }
  void key(std::string_view name, std::map<std::string, std::string>&,
           const config::KeyInfo&) override {
    Values values = {"x", "[a]", "{}", "{a: [b]}", "{a: null}"};
    for (const char* header :
         {"Authorization", "'a b'", "''", "'a:b'", "':path'", "grpc-timeout", "Content-Type", "te",
          "host", "socket.timeout.ms", "group.id", "\"\\xe9\""})
      for (const char* value : {"x", "''", "\"a\\nb\"", "\"\\xe9\"", "'7000'"})
        values.push_back("{" + std::string(header) + ": " + value + "}");
    add(name, values);
  }
  void enum_key(std::string_view name, int&, const config::EnumNames& names,
                const config::KeyInfo&) override {
    Values values = {"nonsense", "[]", "1", "''"};
    for (const std::string_view known : names) values.emplace_back(known);
    add(name, values);
  }
  void key(std::string_view name, std::uint16_t&, const config::KeyInfo&) override {
    // No valid port but 0: it could be taken on this machine.
    add(name, {"0", "-1", "65536", "99999", "http", "[]", "1.5", "'tcp://10.0.0.1:4317'"});
  }
  void section_impl(std::string_view name, const char*,
                    const std::function<void(Binder&)>& describe_section) override {
    add(name, {"x", "[]", "null"});
    KeyCollector inner(keys_, path_of(name));
    describe_section(inner);
  }
  void list_impl(std::string_view name, const char*, std::size_t,
                 const std::function<void(std::size_t)>& resize,
                 const std::function<void(Binder&, std::size_t)>& describe_item) override {
    add(name, {"x", "{}", "[x]", "[{}]", "[null]"});
    resize(1);
    KeyCollector inner(keys_, path_of(name) + "[0]");
    describe_item(inner, 0);
    resize(0);
  }

 private:
  std::string path_of(std::string_view name) const {
    return path_ + (path_.empty() ? "" : ".") + std::string(name);
  }
  void add(std::string_view name, const Values& values) {
    keys_.push_back({path_of(name), values});
  }
  static Values bounded(Values values, const config::KeyInfo& info, const char* unit) {
    const bool has_min = std::isfinite(info.min);
    const bool has_max = std::isfinite(info.max) && info.max < 9e15;
    if (has_min) values.push_back(number(info.min) + unit);
    if (has_min && info.min >= 1) values.push_back(number(info.min - 1) + unit);
    if (has_max) values.push_back(number(info.max) + unit);
    if (has_max) values.push_back(number(info.max + 1) + unit);
    return values;
  }

  std::vector<Key>& keys_;
  const std::string path_;
};

// Some keys name files, which the start of a service creates: in a folder of their own.
class TemporaryFolder final : public testing::Environment {
 public:
  void SetUp() override {
    std::string folder = testing::TempDir() + "config_check.XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    std::filesystem::current_path(folder);
    folder_ = folder;
  }
  void TearDown() override {
    std::filesystem::current_path("/");
    std::filesystem::remove_all(folder_);
  }

 private:
  std::filesystem::path folder_;
};
const testing::Environment* const kFolder =
    testing::AddGlobalTestEnvironment(new TemporaryFolder);  // NOLINT: owned by gtest.

class ConfigCheck : public testing::TestWithParam<Variant> {};

TEST_P(ConfigCheck, TakesExactlyWhatStarts) {
  const runtime::Program program = GetParam().make();
  runtime::RuntimeConfig runtime;
  std::vector<KeyCollector::Key> keys;
  KeyCollector collector(keys);
  program.describe_config(collector);
  describe(collector, runtime);
  ASSERT_GT(keys.size(), 20u);
  // Making topics waits for Kafka.
  std::erase_if(keys, [](const auto& key) { return key.path.ends_with("create_topics"); });
  int refused = 0;
  int started = 0;
  for (const auto& [path, values] : keys) {
    for (const std::string& value : values) {
      Attempt attempt(GetParam(), path, value);
      const std::string problems = attempt.check();
      if (!problems.empty()) {
        ++refused;
        continue;
      }
      const std::string failure = attempt.start();
      EXPECT_EQ(failure, "") << attempt.yaml() << " passes --check-config and does not start";
      ++started;
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(started, 5);
}

INSTANTIATE_TEST_SUITE_P(Services, ConfigCheck, testing::ValuesIn(variants()),
                         [](const auto& variant) { return std::string(variant.param.name); });

}  // namespace
}  // namespace spanway
