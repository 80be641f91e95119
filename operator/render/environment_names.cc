#include "operator/render/environment_names.h"

#include <set>
#include <sstream>

#include "services/exporter/config.h"
#include "services/ingress/config.h"
#include "services/kafka-bridge/config.h"
#include "services/lib/runtime/runtime_config.h"
#include "services/query/config.h"

namespace spanway::render {
namespace {

using config::Binder;
using config::KeyInfo;

constexpr std::string_view kPrefix = "SPANWAY_";

// Walks through a declaration and gathers the aliases of its keys.
class AliasBinder final : public Binder {
 public:
  explicit AliasBinder(std::set<std::string>& names) : names_(names) {}

  void key(std::string_view, bool&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, std::int64_t&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, double&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, std::string&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, Secret&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, Duration&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, config::ByteSize&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, std::vector<std::string>&, const KeyInfo& info) override { add(info); }
  void key(std::string_view, std::map<std::string, std::string>&, const KeyInfo& info) override {
    add(info);
  }
  void enum_key(std::string_view, int&, const config::EnumNames&, const KeyInfo& info) override {
    add(info);
  }
  void section_impl(std::string_view, const char*,
                    const std::function<void(Binder&)>& describe_section) override {
    describe_section(*this);
  }
  void list_impl(std::string_view, const char*, std::size_t,
                 const std::function<void(std::size_t)>& resize,
                 const std::function<void(Binder&, std::size_t)>& describe_item) override {
    resize(1);
    describe_item(*this, 0);
  }
  void key(std::string_view, std::uint16_t&, const KeyInfo& info) override { add(info); }

 private:
  void add(const KeyInfo& info) {
    std::istringstream names(info.alias);
    for (std::string name; std::getline(names, name, ',');) names_.insert(name);
  }
  std::set<std::string>& names_;
};

template <typename Config>
std::set<std::string> aliases_of() {
  std::set<std::string> names;
  AliasBinder binder(names);
  Config config;
  describe(binder, config);
  runtime::RuntimeConfig runtime;
  describe(binder, runtime);
  return names;
}

const std::set<std::string>& aliases(Role role) {
  static const std::set<std::string> ingress = aliases_of<ingress::IngressConfig>();
  static const std::set<std::string> bridge = aliases_of<kafka_bridge::BridgeConfig>();
  static const std::set<std::string> exporter = aliases_of<exporter::ExporterConfig>();
  static const std::set<std::string> query = aliases_of<query::QueryConfig>();
  switch (role) {
    case Role::kIngress:
      return ingress;
    case Role::kExporter:
      return exporter;
    case Role::kQuery:
      return query;
    case Role::kBridge:
    case Role::kConsumer:
      return bridge;
  }
  return bridge;
}

}  // namespace

bool sets_service_key(Role role, const std::string& name) {
  return name.starts_with(kPrefix) || aliases(role).contains(name);
}

}  // namespace spanway::render
