// Tables of a ClickHouse and the compaction of an S3, in the status.
#include <algorithm>

#include "operator/decide/status_builder.h"

namespace spanway::decide {
namespace {

using Schema = SchemaView::State;

const char* word(Schema state) {
  switch (state) {
    case Schema::kPending:
      return "Pending";
    case Schema::kReady:
      return "Ready";
    case Schema::kFailed:
      return "Failed";
    case Schema::kBlocked:
      return "Blocked";
    case Schema::kHeld:
      return "Held";
  }
  return "";
}

const char* word(CompactionView::State state) {
  switch (state) {
    case CompactionView::State::kWaiting:
      return "Waiting";
    case CompactionView::State::kSucceeded:
      return "Succeeded";
    case CompactionView::State::kFailed:
      return "Failed";
  }
  return "";
}

const char* reason(Schema state) {
  switch (state) {
    case Schema::kFailed:
      return "MigrateFailed";
    case Schema::kBlocked:
      return "MigrateBlocked";
    case Schema::kHeld:
      return "MigrateHeld";
    case Schema::kPending:
    case Schema::kReady:
      break;
  }
  return "MigratePending";
}

std::string sentence(const SchemaView& view) {
  return "exporter " + view.exporter + ": " + view.message;
}

}  // namespace

const SchemaView* StatusBuilder::schema_of(const render::ComponentId& id) const {
  if (id.role != Role::kExporter) return nullptr;
  for (const SchemaView& view : input_.schemas)
    if (view.exporter == id.exporter && view.state != Schema::kReady) return &view;
  return nullptr;
}

// The worst of all exporters; nothing when none of them has a schema that is managed.
std::optional<Condition> StatusBuilder::schema_ready() const {
  if (input_.schemas.empty()) {
    if (!input_.schemas_are_held || conditions_.stored("SchemaReady") == nullptr)
      return std::nullopt;
    return stored_condition("SchemaReady");
  }
  const SchemaView* worst = nullptr;
  for (const SchemaView& view : input_.schemas) {
    if (view.state == Schema::kReady) continue;
    if (worst == nullptr || (view.state == Schema::kFailed && worst->state != Schema::kFailed))
      worst = &view;
  }
  if (worst == nullptr) return yes("Migrated", "the tables of every ClickHouse exporter are there");
  if (worst->state == Schema::kPending) return unknown(reason(worst->state), sentence(*worst));
  return no(reason(worst->state), sentence(*worst));
}

std::string StatusBuilder::failed_compactions() const {
  std::string message;
  for (const CompactionView& view : input_.compactions) {
    if (view.state != CompactionView::State::kFailed) continue;
    message += (message.empty() ? "" : "; ") + std::string("exporter ") + view.exporter +
               ": compaction failed: " + view.message;
  }
  return message;
}

void StatusBuilder::add_storage(Json& status) const {
  Json list = Json::array();
  for (const SchemaView& view : input_.schemas) {
    Json entry = {{"exporter", view.exporter}, {"schema", word(view.state)}};
    if (!view.message.empty()) entry["message"] = view.message;
    list.push_back(std::move(entry));
  }
  for (const CompactionView& view : input_.compactions) {
    Json entry = {{"exporter", view.exporter}, {"compaction", word(view.state)}};
    if (!view.message.empty()) entry["message"] = view.message;
    list.push_back(std::move(entry));
  }
  const Json* stored = kube::find(before_, "storage");
  if (input_.schemas_are_held && stored != nullptr) list = *stored;
  if (!list.empty()) status["storage"] = std::move(list);
}

}  // namespace spanway::decide
