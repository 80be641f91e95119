// Ownership of fields under server-side apply, as FakeKube keeps it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "operator/json/json.h"

namespace spanway::fakes {

using kube::Json;

std::set<std::string> fields_of(Json object, bool status);
std::vector<std::string> split(const std::string& path);
const Json* value_at(const Json& object, const std::string& path);
// Takes away what is at the path, and parents that are empty then.
void remove_at(Json& value, const std::vector<std::string>& path, std::size_t depth = 0);
// Lays `intent` over `live` as a structured merge does.
void lay_over(Json& live, const Json& intent);
Json managed_field(const std::string& manager, bool applies, const std::set<std::string>& fields,
                   const std::string& time);

}  // namespace spanway::fakes
