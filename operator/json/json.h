// The JSON value that all parts of the operator pass around: a Kubernetes object is one of these.
// Keys are sorted, so the text of equal values is equal: hashes and golden files depend on it.
// The only header that names the JSON library. Nothing here throws on bad input; operator[] and
// at() of a value do when misused, so read with the functions below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::kube {

using Json = nlohmann::json;

// At most `bytes_max` bytes and 64 levels. INVALID_ARGUMENT names the position of the first error.
Result<Json> parse_json(std::string_view text, std::size_t bytes_max = 16u << 20);
// On one line; invalid UTF-8 is replaced, so it never fails.
std::string to_text(const Json& value);

// The member at a path of object keys and list indices ("spec/template/spec/containers/0"), with ~1
// for a slash inside a key, as in RFC 6901 without the first slash; null when there is none.
const Json* find(const Json& value, std::string_view path);
// The value at the path, or the fallback when it is missing or of another type.
std::string string_at(const Json& value, std::string_view path, std::string_view fallback = "");
std::int64_t int_at(const Json& value, std::string_view path, std::int64_t fallback = 0);
bool bool_at(const Json& value, std::string_view path, bool fallback = false);

// The value of a Kubernetes quantity ("500m", "1Gi", "2e3"); nullopt for anything else.
std::optional<double> parse_quantity(std::string_view text);

// True when every field that `intent` states has that value in `live`, however much more `live`
// has. Lists of objects are matched by their Kubernetes merge key (name, containerPort+protocol,
// mountPath, key, type, ip ...); other lists must be equal. Quantities are compared by value.
// `difference`, when given, gets the path of the first field that differs.
bool contains(const Json& live, const Json& intent, std::string* difference = nullptr);

// All fields of `intent` that contains() finds different. Indices are those of `intent`.
struct Difference {
  std::string path;
  Json live;  // null = unset.
};
std::vector<Difference> differences(const Json& live, const Json& intent);

// The JSON merge patch (RFC 7386) that turns `before` into `after`.
Json merge_difference(const Json& before, const Json& after);

// The first 16 hex digits of the SHA-256 of to_text(value); the same as a number.
std::string fingerprint(const Json& value);
std::uint64_t fingerprint_number(const Json& value);

}  // namespace spanway::kube
