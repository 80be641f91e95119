#include "operator/k8s/kubeconfig.h"

#include <initializer_list>
#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/config/document.h"

namespace spanway::kube {
namespace {

using config::Node;

Error bad(const std::string& path, const std::string& what) {
  return configuration_error(Code::kInvalidArgument, "kubeconfig '" + path + "': " + what);
}

const Node* child(const Node* map, std::string_view key) {
  if (map == nullptr || map->kind != Node::Kind::kMap) return nullptr;
  const auto found = map->entries.find(key);
  if (found == map->entries.end() || found->second->kind == Node::Kind::kNull) return nullptr;
  return found->second.get();
}

std::string text_at(const Node* map, std::string_view key) {
  const Node* node = child(map, key);
  return node != nullptr && node->kind == Node::Kind::kScalar ? node->text : std::string();
}

// The entry of a list of {name, <kind>: {...}} with this name.
const Node* named(const Node& root, std::string_view list, std::string_view kind,
                  std::string_view name) {
  const Node* entries = child(&root, list);
  if (entries == nullptr || entries->kind != Node::Kind::kList) return nullptr;
  for (const auto& entry : entries->items)
    if (text_at(entry.get(), "name") == name) return child(entry.get(), kind);
  return nullptr;
}

std::string beside(const std::string& path, const std::string& file) {
  if (file.empty() || file.front() == '/') return file;
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? file : path.substr(0, slash + 1) + file;
}

Result<std::string> decoded(const Node* map, std::string_view key, const std::string& path) {
  std::string text = text_at(map, key);
  // YAML folds long values over lines.
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  auto bytes = decode_base64(text);
  if (!bytes) return bad(path, std::string(key) + " is not base64");
  return std::move(*bytes);
}

Status refuse(const Node* map, const std::string& path, const std::string& where,
              std::initializer_list<std::string_view> keys, const std::string& advice) {
  for (const auto key : keys)
    if (child(map, key) != nullptr)
      return bad(path,
                 where + " has '" + std::string(key) + "', which is not supported; " + advice);
  return ok_status();
}

Result<Cluster> read_cluster(const Node* node, const std::string& path, const std::string& name,
                             CredentialSources& credentials) {
  if (node == nullptr) return bad(path, "there is no cluster '" + name + "'");
  SPANWAY_TRY(
      refuse(node, path, "cluster '" + name + "'", {"proxy-url"}, "reach the API server directly"));
  Cluster cluster;
  cluster.server = text_at(node, "server");
  if (cluster.server.empty()) return bad(path, "cluster '" + name + "' has no server");
  cluster.tls_server_name = text_at(node, "tls-server-name");
  const std::string skip = text_at(node, "insecure-skip-tls-verify");
  if (!skip.empty() && skip != "true" && skip != "false")
    return bad(path, "insecure-skip-tls-verify must be true or false");
  cluster.insecure_skip_tls_verify = skip == "true";
  SPANWAY_ASSIGN(credentials.ca_pem, decoded(node, "certificate-authority-data", path));
  // Data wins over a file, as in kubectl.
  if (credentials.ca_pem.empty())
    credentials.ca_file = beside(path, text_at(node, "certificate-authority"));
  if (cluster.insecure_skip_tls_verify &&
      !(credentials.ca_pem.empty() && credentials.ca_file.empty()))
    return bad(path, "insecure-skip-tls-verify and a certificate authority contradict each other");
  return cluster;
}

Status read_user(const Node* node, const std::string& path, const std::string& name,
                 CredentialSources& credentials) {
  if (node == nullptr) return bad(path, "there is no user '" + name + "'");
  const std::string where = "user '" + name + "'";
  SPANWAY_TRY(refuse(node, path, where, {"exec", "auth-provider"},
                     "use a token (kubectl create token) or a client certificate"));
  SPANWAY_TRY(refuse(node, path, where, {"as", "as-uid", "as-groups", "as-user-extra"},
                     "use credentials of the user to act as"));
  SPANWAY_TRY(refuse(node, path, where, {"username", "password"},
                     "API servers since 1.19 take no passwords"));
  credentials.token_file = beside(path, text_at(node, "tokenFile"));
  if (credentials.token_file.empty()) credentials.token = Secret(text_at(node, "token"));
  SPANWAY_ASSIGN(credentials.certificate_pem, decoded(node, "client-certificate-data", path));
  if (credentials.certificate_pem.empty())
    credentials.certificate_file = beside(path, text_at(node, "client-certificate"));
  SPANWAY_ASSIGN(std::string key, decoded(node, "client-key-data", path));
  if (key.empty()) credentials.key_file = beside(path, text_at(node, "client-key"));
  credentials.key_pem = Secret(std::move(key));
  return ok_status();
}

}  // namespace

Result<Kubeconfig> read_kubeconfig(std::string_view yaml, const std::string& path,
                                   const std::string& context) {
  config::Problems problems;
  const auto root = config::parse_document(yaml, problems);
  // Only the place of the first mistake: the text around it may be a key.
  if (!problems.all().empty())
    return bad(path, "line " + std::to_string(problems.all().front().line) +
                         " is not the YAML that is read here (no anchors, no tags, no duplicate "
                         "keys, one document, at most 1 MiB)");
  if (root == nullptr || root->kind != Node::Kind::kMap) return bad(path, "it is empty");
  const std::string name = context.empty() ? text_at(root.get(), "current-context") : context;
  if (name.empty()) return bad(path, "it has no current-context; name one by --context");
  const Node* chosen = named(*root, "contexts", "context", name);
  if (chosen == nullptr) return bad(path, "it has no context '" + name + "'");

  Kubeconfig result;
  const std::string cluster = text_at(chosen, "cluster");
  const std::string user = text_at(chosen, "user");
  SPANWAY_ASSIGN(result.cluster, read_cluster(named(*root, "clusters", "cluster", cluster), path,
                                              cluster, result.credentials));
  result.cluster.name_space = text_at(chosen, "namespace");
  // A context without a user is anonymous, for example behind `kubectl proxy`.
  if (!user.empty())
    SPANWAY_TRY(read_user(named(*root, "users", "user", user), path, user, result.credentials));
  return result;
}

}  // namespace spanway::kube
