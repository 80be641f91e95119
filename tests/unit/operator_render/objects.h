// Questions about rendered objects.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/unit/operator_render/pipelines.h"

namespace spanway::render {

// With sample_facts().
Rendering rendered(const api::Pipeline& pipeline);

// The value at a path (kube::find); null when it is missing.
const Json& at(const Json& value, const std::string& path);
// The objects of a kind, by name.
std::map<std::string, Json> of_kind(const Rendering& rendering, const kube::ResourceType& type);
std::vector<std::string> names_of(const std::map<std::string, Json>& objects);
// The only container of a workload's pods.
const Json& container_of(const Json& workload);
// The entries of a list by their names.
std::map<std::string, Json> by_name(const Json& list);
// As matchLabels does; an empty selector is a mistake and finds nothing here.
bool selects(const Json& selector, const Json& labels);

}  // namespace spanway::render
