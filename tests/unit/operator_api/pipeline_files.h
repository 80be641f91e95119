// Pipelines for tests, from text and from the files of this repository.
#pragma once

#include <string>
#include <vector>

#include "operator/api/declaration.h"

namespace spanway::api {

// Tests run in the root of the repository.
std::string file_text(const std::string& path);
// Sorted; a folder without such files fails the test.
std::vector<std::string> yaml_files(const std::string& folder);
// All documents; a mistake in the YAML fails the test.
std::vector<kube::Json> documents(const std::string& yaml, const std::string& file_name = "test");
// "path: message" of each.
std::vector<std::string> texts(const config::Problems& problems);
// The problems of the one Pipeline in `yaml`.
std::vector<std::string> problems_of(const std::string& yaml);
// The first line without "# ".
std::string expectation(const std::string& yaml);

// A valid Pipeline in which `spec` (indented by two) is added to the required fields.
std::string pipeline_yaml(const std::string& spec = "");

}  // namespace spanway::api
