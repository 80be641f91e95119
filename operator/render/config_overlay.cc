#include "operator/render/config_overlay.h"

#include <algorithm>
#include <charconv>

#include "operator/api/destination_fields.h"
#include "services/lib/sinks/destination.h"

namespace spanway::render {
namespace {

// True when `path` is `owner` or lies below it.
bool lies_in(std::string_view path, std::string_view owner) {
  if (!path.starts_with(owner)) return false;
  return path.size() == owner.size() || path[owner.size()] == '.' || path[owner.size()] == '[';
}

void add_common(const ComponentSpec& spec, std::vector<OwnedKey>& keys) {
  keys.push_back({"admin", ""});
  keys.push_back({"log.level", "spec.observability.logLevel"});
  keys.push_back({"memory_limit", spec.field + ".template.resources"});
}

void add_kafka(std::vector<OwnedKey>& keys) {
  const std::string kafka = "spec.kafka.";
  keys.insert(keys.end(),
              {{"kafka.brokers", kafka + "bootstrapServers"},
               {"kafka.tls.enabled", kafka + "tls.enabled"},
               {"kafka.tls.ca_file", kafka + "tls.caSecretName"},
               {"kafka.tls.certificate_file", kafka + "tls.clientCertificateSecretName"},
               {"kafka.tls.key_file", kafka + "tls.clientCertificateSecretName"},
               {"kafka.sasl.mechanism", kafka + "authentication.type"},
               {"kafka.sasl.username", kafka + "authentication.username"},
               {"kafka.sasl", kafka + "authentication"},
               {"kafka.topics", kafka + "topics"},
               {"kafka.dead_letter_suffix", kafka + "topics.deadLetterSuffix"},
               {"create_topics", kafka + "topics.management"},
               {"topics.partitions", kafka + "topics.partitions"},
               {"topics.replication_factor", kafka + "topics.replicationFactor"},
               {"topics.min_insync_replicas", kafka + "topics.minInsyncReplicas"},
               {"topics.retention", kafka + "topics.retention"},
               {"topics.dead_letter_retention", kafka + "topics.deadLetterRetention"},
               {"topics", kafka + "topics"},
               {"mode", ""}});
}

std::vector<OwnedKey> ingress_keys() {
  const std::string field = "spec.ingress.";
  return {{"otlp.host", ""},
          {"otlp.grpc.enabled", field + "grpc.enabled"},
          {"otlp.http.enabled", field + "http.enabled"},
          {"otlp.grpc.port", field + "grpc.port"},
          {"otlp.http.port", field + "http.port"},
          {"otlp.http.cors.allowed_origins", field + "http.corsAllowedOrigins"},
          {"otlp.tls", field + "tls"},
          {"auth", field + "auth"},
          {"tenant", field + "tenant"},
          {"rate_limit.items_per_second", field + "limits.itemsPerSecond"},
          {"rate_limit.bytes_per_second", field + "limits.bytesPerSecond"},
          {"next.endpoint", ""},
          {"next.tls", ""}};
}

std::vector<OwnedKey> bridge_keys() {
  const std::string field = "spec.bridge.produce.";
  std::vector<OwnedKey> keys = {{"otlp.host", ""},
                                {"otlp.grpc", ""},
                                {"otlp.tls", ""},
                                {"otlp.trust_metadata", ""},
                                {"producer.record_key", field + "recordKey"},
                                {"producer.compression", field + "compression"},
                                {"consumer", "spec.exporters[].consumer.config"},
                                {"destination", "spec.exporters[].destination"}};
  add_kafka(keys);
  return keys;
}

std::vector<OwnedKey> consumer_keys(const ComponentSpec& spec) {
  const std::string exporter = "spec.exporters[" + spec.exporter->name + "].";
  std::vector<OwnedKey> keys = {{"otlp", "spec.ingress"},
                                {"consumer.group", exporter + "name"},
                                {"consumer.group_instance_id", ""},
                                {"consumer.destination", exporter + "name"},
                                {"consumer.signals", exporter + "signals"},
                                {"consumer.start_from", exporter + "consumer.startFrom"},
                                {"destination.endpoint", exporter + "destination.endpoint"},
                                {"destination.headers", exporter + "destination.headers"},
                                {"destination.tls", ""}};
  add_kafka(keys);
  return keys;
}

// The keys of one type, by the names of the Pipeline's fields.
void add_section_keys(const api::Destination& destination, const std::string& section,
                      const std::string& field, std::vector<OwnedKey>& keys) {
  const api::DestinationFields* fields = api::fields_of(destination);
  if (fields == nullptr) return;
  const std::string object = field + std::string(fields->section) + ".";
  for (const api::SectionKey& key : fields->keys)
    keys.push_back({section + "." + std::string(key.key), object + std::string(key.field)});
}

std::vector<OwnedKey> exporter_keys(const ComponentSpec& spec) {
  const std::string field = spec.field + ".destination.";
  std::vector<OwnedKey> keys = {{"otlp.host", ""},
                                {"otlp.grpc", ""},
                                {"otlp.tls", ""},
                                {"trust_metadata", ""},
                                {"signals", spec.field + ".signals"},
                                {"destination.type", field + "type"}};
  for (const sinks::Descriptor& descriptor : sinks::destinations()) {
    const std::string section = "destination." + std::string(descriptor.name);
    if (spec.exporter->destination.type != descriptor.type) {
      keys.push_back({section, field + "type"});
      continue;
    }
    keys.insert(keys.end(),
                {{section + ".endpoint", field + "endpoint"},
                 {section + ".path", field + "endpoint"},
                 {section + ".headers", field + "headers"},
                 {section + ".basic_auth.username", field + "basicAuth.username"},
                 {section + ".basic_auth.password", field + "basicAuth.passwordSecretKeyRef"},
                 {section + ".basic_auth", field + "basicAuth"},
                 {section + ".compression", field + "compression"},
                 {section + ".timeout", field + "timeout"},
                 {section + ".tls.enabled", field + "tls.enabled"},
                 {section + ".tls.ca_file", field + "tls.caSecretName"},
                 {section + ".tls.certificate_file", field + "tls.clientCertificateSecretName"},
                 {section + ".tls.key_file", field + "tls.clientCertificateSecretName"},
                 {section + ".tls.server_name", field + "tls.serverName"}});
    add_section_keys(spec.exporter->destination, section, field, keys);
  }
  return keys;
}

std::vector<OwnedKey> query_keys() {
  const std::string field = "spec.query.";
  const std::string store = field + "stores.clickhouse.";
  return {{"api.host", ""},
          {"api.port", ""},
          {"api.tls", field + "tls"},
          {"auth", field + "auth"},
          {"tenant", field + "tenant"},
          {"stores.clickhouse.endpoint", store + "endpoint"},
          {"stores.clickhouse.database", store + "database"},
          {"stores.clickhouse.username", store + "username"},
          {"stores.clickhouse.password", store + "passwordSecretKeyRef"},
          {"stores.clickhouse.tls.ca_file", store + "tls.caSecretName"},
          {"stores.clickhouse.tls.certificate_file", store + "tls.clientCertificateSecretName"},
          {"stores.clickhouse.tls.key_file", store + "tls.clientCertificateSecretName"},
          {"stores.clickhouse.tls.server_name", store + "tls.serverName"}};
}

// The most precise owner of this key; null when it is not owned.
const OwnedKey* owner_of(const std::vector<OwnedKey>& owned, std::string_view path) {
  const OwnedKey* best = nullptr;
  for (const OwnedKey& key : owned) {
    if (lies_in(path, key.path) && (best == nullptr || key.path.size() > best->path.size()))
      best = &key;
  }
  return best;
}

bool holds_owned_keys(const std::vector<OwnedKey>& owned, const std::string& path) {
  return std::any_of(owned.begin(), owned.end(),
                     [&path](const OwnedKey& key) { return lies_in(key.path, path); });
}

std::string joined(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

struct Overlay {
  const std::vector<OwnedKey>& owned;
  // Each may be null.
  const ComponentSpec* spec = nullptr;
  config::Problems* problems = nullptr;

  void refuse(const std::string& path, std::string message) const {
    if (problems != nullptr) problems->add(spec->field + ".config." + path, std::move(message));
  }
  void refuse_owned(const std::string& path, const OwnedKey& key) const {
    refuse(path, key.field.empty() ? "is decided by the operator; remove it"
                                   : "is decided by " + key.field + "; set that instead");
  }

  void merge(Json& base, const Json& overlay, const std::string& path) const {
    for (const auto& [key, value] : overlay.items()) {
      const std::string inner = joined(path, key);
      if (const OwnedKey* owner = owner_of(owned, inner)) {
        refuse_owned(inner, *owner);
      } else if (!value.is_object() && holds_owned_keys(owned, inner)) {
        refuse(inner, "must be an object: some of its keys are decided by the operator");
      } else if (value.is_object()) {
        Json& target = base[key];
        if (!target.is_object()) target = Json::object();
        merge(target, value, inner);
      } else {
        base[key] = value;
      }
    }
  }
};

// True when the overlay sets the value at the path.
bool overlay_states(const Json& overlay, std::string_view path) {
  const Json* at = &overlay;
  while (!path.empty()) {
    const std::size_t end = path.find_first_of(".[");
    const std::string key(path.substr(0, end));
    if (!at->is_object() || !at->contains(key)) return false;
    at = &(*at)[key];
    // Lists are replaced as a whole: setting the list sets its items.
    if (end == std::string_view::npos || path[end] == '[') return true;
    path.remove_prefix(end + 1);
  }
  return true;
}

// "auth.tokens[2]" and the like: the item's name in place of its index.
std::string named_item(const api::Pipeline& pipeline, const ComponentSpec& spec,
                       std::string_view path) {
  const bool is_query = spec.id.role == Role::kQuery;
  const api::IngressAuth& auth = is_query ? pipeline.spec.query->auth : pipeline.spec.ingress.auth;
  const auto index_behind = [&path](std::string_view list) -> std::optional<std::size_t> {
    if (!path.starts_with(list)) return std::nullopt;
    std::size_t index = 0;
    const char* begin = path.data() + list.size();
    const auto [end, error] = std::from_chars(begin, path.data() + path.size(), index);
    return error == std::errc() ? std::optional(index) : std::nullopt;
  };
  if (const auto i = index_behind("auth.tokens["); i && *i < auth.tokens.size())
    return spec.field + ".auth.tokens[" + auth.tokens[*i].name + "]";
  if (const auto i = index_behind("auth.users["); i && *i < auth.users.size())
    return spec.field + ".auth.users[" + auth.users[*i].name + "]";
  return "";
}

}  // namespace

std::vector<OwnedKey> owned_keys(const ComponentSpec& spec) {
  std::vector<OwnedKey> keys;
  switch (spec.id.role) {
    case Role::kIngress:
      keys = ingress_keys();
      break;
    case Role::kBridge:
      keys = bridge_keys();
      break;
    case Role::kConsumer:
      keys = consumer_keys(spec);
      break;
    case Role::kExporter:
      keys = exporter_keys(spec);
      break;
    case Role::kQuery:
      keys = query_keys();
      break;
  }
  add_common(spec, keys);
  return keys;
}

void lay_over(Json& generated, const Json& overlay, const std::vector<OwnedKey>& owned) {
  if (overlay.is_object()) Overlay{owned}.merge(generated, overlay, "");
}

void check_overlay(const ComponentSpec& spec, config::Problems& problems) {
  if (spec.config->is_null()) return;
  if (!spec.config->is_object()) {
    problems.add(spec.field + ".config", "must be an object");
    return;
  }
  Json ignored = Json::object();
  Overlay{owned_keys(spec), &spec, &problems}.merge(ignored, *spec.config, "");
}

std::string field_of(const api::Pipeline& pipeline, const ComponentSpec& spec,
                     std::string_view path) {
  if (path.empty()) return spec.field;
  const std::vector<OwnedKey> owned = owned_keys(spec);
  if (const OwnedKey* owner = owner_of(owned, path)) {
    if (std::string item = named_item(pipeline, spec, path); !item.empty()) return item;
    return owner->field.empty() ? spec.field : owner->field;
  }
  if (overlay_states(*spec.config, path)) return spec.field + ".config." + std::string(path);
  if (path.starts_with("memory")) return spec.field + ".template.resources.limits.memory";
  // A rule about a whole section, of which the overlay or the spec may have set a part.
  return spec.config->is_object() && !spec.config->empty()
             ? spec.field + ".config." + std::string(path)
             : spec.field;
}

}  // namespace spanway::render
