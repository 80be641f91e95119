#include "operator/k8s/access.h"

#include <utility>

#include "operator/k8s/kubeconfig.h"
#include "services/lib/base/ascii.h"

namespace spanway::kube {
namespace {

constexpr char kServiceAccount[] = "/var/run/secrets/kubernetes.io/serviceaccount/";

std::string environment_value(const config::Sources& sources, const std::string& name) {
  const auto found = sources.environment.find(name);
  return found == sources.environment.end() ? std::string() : found->second;
}

// A header's value: anything else in the file would end up as another header.
bool is_token(const std::string& text) {
  for (const char c : text)
    if (c <= ' ' || c > '~') return false;
  return !text.empty();
}

// True for http:// on a loopback address, as `kubectl proxy` serves it.
bool is_loopback(const std::string& server) {
  const std::string rest = server.substr(std::string("http://").size());
  for (const std::string host : {"127.0.0.1", "localhost", "[::1]"})
    if (rest == host || rest.rfind(host + ":", 0) == 0 || rest.rfind(host + "/", 0) == 0)
      return true;
  return false;
}

// An environment variable names an address; IPv6 needs brackets in a URL.
std::string host_of_url(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

Access::Access(Cluster cluster, CredentialSources credentials, config::Sources sources,
               const Clock& clock)
    : cluster_(std::move(cluster)),
      from_(std::move(credentials)),
      sources_(std::move(sources)),
      clock_(clock),
      read_at_(clock.now()) {}

Result<std::unique_ptr<Access>> Access::create(Cluster cluster, CredentialSources credentials,
                                               config::Sources sources, const Clock& clock) {
  const bool https = cluster.server.rfind("https://", 0) == 0;
  if (!https && cluster.server.rfind("http://", 0) != 0)
    return configuration_error(Code::kInvalidArgument,
                               "the API server's address '" + cluster.server +
                                   "' must start with https:// (or http:// for a local proxy)");
  cluster.server.resize(trim_end(cluster.server, "/").size());
  if (cluster.name_space.empty()) cluster.name_space = "default";
  std::unique_ptr<Access> access(
      new Access(std::move(cluster), std::move(credentials), std::move(sources), clock));
  Credentials first;
  SPANWAY_TRY(access->read(first));
  if (first.certificate_pem.empty() != first.key_pem.empty())
    return configuration_error(Code::kInvalidArgument,
                               "a client certificate needs its key, and a key its certificate");
  if (!https && !first.token.empty() && !is_loopback(access->cluster_.server))
    return configuration_error(
        Code::kInvalidArgument,
        "a token would be sent in clear text to '" + access->cluster_.server + "': use https://");
  {
    MutexLock lock(access->mutex_);
    access->current_ = std::move(first);
  }
  return access;
}

Result<std::unique_ptr<Access>> Access::in_cluster(config::Sources sources, const Clock& clock) {
  const std::string host = environment_value(sources, "KUBERNETES_SERVICE_HOST");
  const std::string port = environment_value(sources, "KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty())
    return configuration_error(
        Code::kFailedPrecondition,
        "no API server is known: outside of a pod (KUBERNETES_SERVICE_HOST and "
        "KUBERNETES_SERVICE_PORT are not set) name a kubeconfig by --kubeconfig or KUBECONFIG");
  const std::string folder = kServiceAccount;
  std::string name_space = sources.read_file(folder + "namespace").value_or("");
  name_space.resize(trim_end(name_space, kWhiteSpace).size());
  CredentialSources credentials;
  credentials.token_file = folder + "token";
  credentials.ca_file = folder + "ca.crt";
  return create({.server = "https://" + host_of_url(host) + ":" + port,
                 .name_space = name_space,
                 .tls_server_name = {},
                 .insecure_skip_tls_verify = false},
                std::move(credentials), std::move(sources), clock);
}

Result<std::unique_ptr<Access>> Access::find(const std::string& path, const std::string& context,
                                             config::Sources sources, const Clock& clock) {
  std::string file = path.empty() ? environment_value(sources, "KUBECONFIG") : path;
  if (file.empty()) return in_cluster(std::move(sources), clock);
  if (file.find(':') != std::string::npos)
    return configuration_error(
        Code::kInvalidArgument,
        "KUBECONFIG lists several files, which are not merged here; name one by --kubeconfig");
  const auto yaml = sources.read_file(file);
  if (!yaml)
    return configuration_error(Code::kNotFound, "the kubeconfig '" + file + "' cannot be read");
  SPANWAY_ASSIGN(Kubeconfig config, read_kubeconfig(*yaml, file, context));
  return create(std::move(config.cluster), std::move(config.credentials), std::move(sources),
                clock);
}

Status Access::read(Credentials& into) const {
  const auto of_file = [&](const std::string& path, const std::string& fallback,
                           const char* what) -> Result<std::string> {
    if (path.empty()) return fallback;
    if (auto text = sources_.read_file(path)) return std::move(*text);
    return configuration_error(Code::kNotFound,
                               std::string("the ") + what + " file '" + path + "' cannot be read");
  };
  SPANWAY_ASSIGN(std::string token, of_file(from_.token_file, from_.token.reveal(), "token"));
  SPANWAY_ASSIGN(into.ca_pem, of_file(from_.ca_file, from_.ca_pem, "certificate authority"));
  SPANWAY_ASSIGN(into.certificate_pem,
                 of_file(from_.certificate_file, from_.certificate_pem, "client certificate"));
  SPANWAY_ASSIGN(std::string key, of_file(from_.key_file, from_.key_pem.reveal(), "client key"));
  token.resize(trim_end(token, kWhiteSpace).size());
  const bool wants_token = !from_.token_file.empty() || !from_.token.empty();
  if (wants_token && !is_token(token))
    return configuration_error(Code::kInvalidArgument,
                               from_.token_file.empty()
                                   ? "the token has characters that no token has"
                                   : "the file '" + from_.token_file + "' holds no token");
  into.token = Secret(std::move(token));
  into.key_pem = Secret(std::move(key));
  return ok_status();
}

void Access::read_again() {
  Credentials fresh;
  // A file that is being replaced: keep the previous credentials.
  if (read(fresh).ok()) current_ = std::move(fresh);
  read_at_ = clock_.now();
}

Credentials Access::current() {
  MutexLock lock(mutex_);
  if (clock_.now() - read_at_ >= kReadEvery) read_again();
  return current_;
}

bool Access::renew(const Secret& refused) {
  MutexLock lock(mutex_);
  // Another thread may have renewed it since.
  if (current_.token == refused) read_again();
  return !(current_.token == refused);
}

}  // namespace spanway::kube
