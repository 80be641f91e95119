#include "operator/render/plan.h"

namespace spanway::render {
std::vector<Change> plan(const Rendering&, const std::vector<Json>&) { return {}; }
std::string to_text(const std::vector<Change>&) { return ""; }
}  // namespace spanway::render
