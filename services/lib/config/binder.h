// One declaration of a configuration section feeds all of these: loading, checking, printing, the
// JSON schema, CONFIG.md and the custom resource.
//
//   struct ListenConfig { std::string host = "0.0.0.0"; std::uint16_t port = 4317; };
//   void describe(config::Binder& b, ListenConfig& c) {
//     b.key("host", c.host, {.doc = "Address to listen on.", .alias = "SERVER_HOST"});
//     b.key("port", c.port, {.doc = "TCP port; 0 takes a free one.", .alias = "GRPC_PORT"});
//   }
//   b.section("grpc", c.grpc, "The OTLP/gRPC listener.");   // calls describe(b, c.grpc)
//
// Keys are lower_snake without "__". Defaults are the members' initialisers. Cross-field rules
// are in a function `void validate(const XConfig&, config::Problems&)`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/secret.h"

namespace spanway::config {

// A number of bytes, written as 900KiB, 64MiB or plain bytes.
struct ByteSize {
  std::uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};
constexpr ByteSize operator""_KiB(unsigned long long n) { return {n << 10}; }
constexpr ByteSize operator""_MiB(unsigned long long n) { return {n << 20}; }

// Declaration of a key besides its type. Durations are written as 200ms, 5s, 2m, 1h.
struct KeyInfo {
  const char* doc = "";
  // Further environment variables that set it, comma-separated (mission A6: "GRPC_PORT").
  const char* alias = "";
  const char* example = "";
  // Bounds, inclusive; for durations in milliseconds, for sizes in bytes.
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  // Must be set and not empty. Not for keys of sections that may be left out entirely: those
  // are checked in validate().
  bool required = false;
  // ECMAScript regular expression that a string (or each item of a list) must match entirely.
  const char* pattern = "";
  // For lists and maps whose values are secrets (request headers): values are printed as ***.
  // A single secret has the type Secret.
  bool secret = false;
  // For secrets: each ${file:path} is read again while the process runs (Secret::file()).
  bool reread = false;
};

// The names of an enum's values, in order of their numbers from 0.
using EnumNames = std::vector<std::string_view>;

class Binder {
 public:
  virtual ~Binder() = default;

  virtual void key(std::string_view name, bool& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, std::int64_t& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, double& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, std::string& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, Secret& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, Duration& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, ByteSize& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, std::vector<std::string>& value, const KeyInfo& info) = 0;
  virtual void key(std::string_view name, std::map<std::string, std::string>& value,
                   const KeyInfo& info) = 0;
  virtual void enum_key(std::string_view name, int& value, const EnumNames& names,
                        const KeyInfo& info) = 0;
  // `describe_section` is called with the section entered. A missing section keeps its defaults.
  virtual void section_impl(std::string_view name, const char* doc,
                            const std::function<void(Binder&)>& describe_section) = 0;
  // A list of sections (for example destinations). `resize` sets the number of elements;
  // `describe_item` is called for each. Schema and doc writers call both with one element.
  virtual void list_impl(std::string_view name, const char* doc, std::size_t size,
                         const std::function<void(std::size_t)>& resize,
                         const std::function<void(Binder&, std::size_t)>& describe_item) = 0;

  // std::uint16_t is a port: 0 to 65535, and `tcp://...` values (Kubernetes service links) from
  // the environment are ignored with a warning.
  virtual void key(std::string_view name, std::uint16_t& value, const KeyInfo& info) = 0;

  template <typename E>
  requires std::is_enum_v<E>
  void key(std::string_view name, E& value, const EnumNames& names, const KeyInfo& info) {
    int number = static_cast<int>(value);
    enum_key(name, number, names, info);
    value = static_cast<E>(number);
  }
  // Calls describe(Binder&, T&), found next to T.
  template <typename T>
  void section(std::string_view name, T& value, const char* doc) {
    section_impl(name, doc, [&value](Binder& inner) { describe(inner, value); });
  }
  template <typename T>
  void list(std::string_view name, std::vector<T>& values, const char* doc) {
    list_impl(
        name, doc, values.size(), [&values](std::size_t size) { values.resize(size); },
        [&values](Binder& inner, std::size_t i) { describe(inner, values[i]); });
  }
};

// One mistake in a configuration, with its place.
struct Problem {
  std::string path;     // "kafka.topics.traces", "destinations[0].name"
  std::string message;  // The mistake and what to write instead.
  int line = 0;         // 1-based; 0 when the value did not come from the file.
  int column = 0;
};

// Collects mistakes; all of them are reported, not the first one only.
class Problems {
 public:
  void add(std::string path, std::string message) {
    problems_.push_back({std::move(path), std::move(message), 0, 0});
  }
  void add(Problem problem) { problems_.push_back(std::move(problem)); }
  bool empty() const noexcept { return problems_.empty(); }
  std::vector<Problem>& all() noexcept { return problems_; }
  const std::vector<Problem>& all() const noexcept { return problems_; }

 private:
  std::vector<Problem> problems_;
};

}  // namespace spanway::config
