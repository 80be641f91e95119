#include "services/lib/config/load.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "services/lib/config/document.h"
#include "services/lib/config/section_loader.h"

namespace spanway::config {
namespace {

// The place of `path`, or of the nearest section around it.
Place find_place(const LoadState& state, std::string_view path) {
  while (true) {
    if (const auto found = state.places.find(path); found != state.places.end())
      return found->second;
    const std::size_t end = path.find_last_of(".[");
    if (end == std::string_view::npos) return {};
    path = path.substr(0, end);
  }
}

void run_validate(LoadState& state, const std::function<void(Problems&)>& validate) {
  Problems found;
  validate(found);
  for (Problem& problem : found.all()) {
    if (problem.line == 0) {
      const Place place = find_place(state, problem.path);
      problem.line = place.line;
      problem.column = place.column;
    }
    state.report(std::move(problem));
  }
}

void sort_by_place(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::make_tuple(a.line == 0, a.line, a.column) <
           std::make_tuple(b.line == 0, b.line, b.column);
  });
}

}  // namespace

LoadReport load(std::string_view yaml, std::string_view, const Sources& sources,
                const Describe& describe, const std::function<void(Problems&)>& validate) {
  LoadState state(sources);
  Problems syntax;
  const std::unique_ptr<Node> root = parse_document(yaml, syntax);
  const bool readable = root != nullptr || syntax.empty();
  for (Problem& problem : syntax.all()) state.report(std::move(problem));

  const Node* keys = root != nullptr && root->kind == Node::Kind::kMap ? root.get() : nullptr;
  if (root != nullptr && keys == nullptr && root->kind != Node::Kind::kNull)
    state.report(
        {"", "the file must be a mapping of keys to values", root->place.line, root->place.column});
  // In a file that could not be parsed to its end, keys are not missing for certain.
  if (readable) {
    const Place start = keys != nullptr ? Place{1, 1} : Place{};
    SectionLoader section(state, keys, start, "", "SPANWAY");
    describe(section);
    section.finish();
    state.environment.warn_unknown(state.result.warnings);
    if (state.result.problems.empty() && validate) run_validate(state, validate);
  }
  sort_by_place(state.result.problems.all());
  return std::move(state.result);
}

std::string format(const Problems& problems, std::string_view file_name) {
  std::string out;
  for (const Problem& problem : problems.all()) {
    out += file_name;
    if (problem.line > 0)
      out += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
    out += ": ";
    if (!problem.path.empty()) out += problem.path + ": ";
    out += problem.message + "\n";
  }
  return out;
}

}  // namespace spanway::config
