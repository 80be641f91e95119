// The keys in which two configuration files differ.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace spanway::render {

// Paths as the services write them: "limits.body_bytes_max". A list counts as one value. Sorted;
// empty when the files are equal or one of them cannot be read.
std::vector<std::string> yaml_differences(std::string_view before, std::string_view after);

}  // namespace spanway::render
